#include "table/profile_sketch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "table/profile_column.h"
#include "table/profile_hash.h"

namespace cromford::table {
namespace {

template <typename Sketch>
std::string bytes_of(const Sketch& sketch) {
  StateWriter out;
  sketch.write(out);
  return out.take();
}

TEST(ValueCounterTest, CountsExactlyUntilReduced) {
  ValueCounter counter;
  for (uint64_t i = 0; i < 3000; ++i) {
    for (uint64_t repeat = 0; repeat <= i % 3; ++repeat) {
      counter.add(i, profile_hash(i), 1);
    }
  }
  ASSERT_EQ(counter.size(), 3000u);
  const std::vector<CountedKey> sorted = counter.sorted();
  EXPECT_EQ(sorted[0].key, 0u);
  EXPECT_EQ(sorted[2999].key, 2999u);
  EXPECT_EQ(sorted[2999].count, 2999 % 3 + 1);
}

TEST(ValueCounterTest, FrequentKeysSurviveWithBoundedError) {
  ValueCounter counter;
  base::Random random(1);
  int64_t heavy = 0;
  for (int i = 0; i < 100'000; ++i) {
    const bool is_heavy = random.uniform() < 0.1;
    const uint64_t key = is_heavy ? 7 : random.next();
    heavy += is_heavy ? 1 : 0;
    counter.add(key, profile_hash(key), 1);
    if (counter.size() > 1024) {
      counter.reduce(512);
    }
  }
  int64_t counted = 0;
  counter.for_each([&](const CountedKey& item) { counted += item.key == 7 ? item.count : 0; });
  EXPECT_LE(counted, heavy);
  EXPECT_GE(counted + counter.error(), heavy);
  EXPECT_LT(counter.error(), 100'000 / 512);
}

TEST(ValueCounterTest, BytesReadBackAndDamageIsSeen) {
  ValueCounter counter;
  for (const uint64_t key : {uint64_t{0}, uint64_t{5}, UINT64_MAX}) {
    counter.add(key, profile_hash(key), 3);
  }
  const std::string bytes = bytes_of(counter);
  ValueCounter read;
  StateReader in(bytes);
  ASSERT_TRUE(read.read(in, 3));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(bytes_of(read), bytes);
  StateReader too_many(bytes);
  EXPECT_FALSE(ValueCounter().read(too_many, 2));
  for (size_t length = 0; length < bytes.size(); ++length) {
    StateReader cut(std::string_view(bytes).substr(0, length));
    EXPECT_FALSE(ValueCounter().read(cut, 3)) << length;
  }
  // A repeated key: a step of zero.
  StateReader repeated(std::string_view("\x02\x00\x05\x01\x00\x01", 6));
  EXPECT_FALSE(ValueCounter().read(repeated, 3));
}

TEST(TextCounterTest, CountsSortsReducesAndReadsBack) {
  TextCounter counter;
  for (int i = 0; i < 500; ++i) {
    const std::string text = "value" + std::to_string(i);
    counter.add(text, profile_hash(std::string_view(text)), i + 1);
  }
  EXPECT_EQ(counter.size(), 500u);
  EXPECT_EQ(counter.sorted().front().text, "value0");
  EXPECT_EQ(counter.sorted().back().text, "value99");
  counter.reduce(10);
  EXPECT_LE(counter.size(), 10u);
  EXPECT_EQ(counter.error(), 490);
  const std::string bytes = bytes_of(counter);
  TextCounter read;
  StateReader in(bytes);
  ASSERT_TRUE(read.read(in, 10, 100));
  EXPECT_EQ(bytes_of(read), bytes);
  StateReader too_long(bytes);
  EXPECT_FALSE(TextCounter().read(too_long, 10, 20));
  StateReader unsorted(
      std::string_view("\x02\x00\x01"
                       "b\x01\x01"
                       "a\x01",
                       9));
  EXPECT_FALSE(TextCounter().read(unsorted, 10, 100));
}

TEST(DistinctSketchTest, EstimatesWithinAFewPercentAndMergesLikeOne) {
  for (const uint64_t count : {100u, 5'000u, 200'000u}) {
    DistinctSketch whole;
    DistinctSketch left;
    DistinctSketch right;
    for (uint64_t i = 0; i < count; ++i) {
      whole.add(profile_hash(i));
      (i % 3 == 0 ? left : right).add(profile_hash(i));
    }
    EXPECT_NEAR(static_cast<double>(whole.estimate()), static_cast<double>(count),
                0.04 * static_cast<double>(count));
    left.merge(right);
    EXPECT_EQ(bytes_of(left), bytes_of(whole));
    const std::string bytes = bytes_of(whole);
    DistinctSketch read;
    StateReader in(bytes);
    ASSERT_TRUE(read.read(in));
    EXPECT_EQ(read.estimate(), whole.estimate());
  }
  const std::string full = "\x80\x30" + std::string(6144, '\xff');
  StateReader beyond(full);
  EXPECT_FALSE(DistinctSketch().read(beyond));
  StateReader short_one(std::string_view("\x01\x00", 2));
  EXPECT_FALSE(DistinctSketch().read(short_one));
}

TEST(DistinctSketchTest, KnowsNothingAndEverything) {
  EXPECT_EQ(DistinctSketch().estimate(), 0);
}

// The largest distance between the sketch's ranks and the true ones, as a share.
double rank_error(const QuantileSketch& sketch, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double worst = 0;
  int64_t below = 0;
  for (const WeightedNumber& item : sketch.items()) {
    const auto upper = std::upper_bound(values.begin(), values.end(), item.value);
    below += item.weight;
    worst = std::max(
        worst, std::abs(static_cast<double>(below) - static_cast<double>(upper - values.begin())));
  }
  return worst / static_cast<double>(values.size());
}

TEST(QuantileSketchTest, RanksAreWithinOnePercent) {
  base::Random random(3);
  for (const size_t count : {10'000u, 50'000u, 1'000'000u}) {
    for (const bool ascending : {false, true}) {
      QuantileSketch sketch;
      std::vector<double> values;
      for (size_t i = 0; i < count; ++i) {
        values.push_back(ascending ? static_cast<double>(i) : random.normal());
        sketch.add(values.back());
      }
      EXPECT_EQ(sketch.count(), static_cast<int64_t>(count));
      EXPECT_LT(rank_error(sketch, values), count < 50'000 ? 0.02 : 0.01) << count;
      EXPECT_LT(bytes_of(sketch).size(), 24'000u);
    }
  }
}

TEST(QuantileSketchTest, MergedSketchesKeepWeightAndAccuracy) {
  base::Random random(4);
  QuantileSketch total;
  std::vector<double> values;
  for (int part = 0; part < 40; ++part) {
    QuantileSketch sketch;
    for (int i = 0; i < 10'003; ++i) {
      values.push_back(random.uniform() * (part + 1));
      sketch.add(values.back());
    }
    total.merge(sketch);
  }
  total.add_weighted(0.5, 12'345);
  values.insert(values.end(), 12'345, 0.5);
  EXPECT_EQ(total.count(), static_cast<int64_t>(values.size()));
  EXPECT_LT(rank_error(total, values), 0.01);
}

TEST(QuantileSketchTest, BytesReadBackAndDamageIsSeen) {
  QuantileSketch sketch;
  for (int i = 0; i < 5005; ++i) {
    sketch.add(i);
  }
  const std::string bytes = bytes_of(sketch);
  QuantileSketch read;
  StateReader in(bytes);
  ASSERT_TRUE(read.read(in));
  EXPECT_EQ(bytes_of(read), bytes);
  for (int i = 0; i < 5005; ++i) {
    sketch.add(i);
    read.add(i);
  }
  EXPECT_EQ(bytes_of(read), bytes_of(sketch));
  StateWriter infinite;
  for (const uint64_t figure : {1U, 0U, 0U}) {
    infinite.integer(figure);
  }
  infinite.number(INFINITY);
  infinite.integer(0);
  StateReader bad(infinite.bytes());
  EXPECT_FALSE(QuantileSketch().read(bad));
}

TEST(RowSampleTest, ExactWhileSmallAndSilentWithoutRepetition) {
  RowSample sample;
  for (uint64_t i = 0; i < 60'000; ++i) {
    sample.add(profile_hash(i % 50'000));
  }
  EXPECT_TRUE(sample.exact());
  EXPECT_EQ(sample.repeated(), 10'000);
  RowSample distinct;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    distinct.add(profile_hash(i));
  }
  EXPECT_FALSE(distinct.exact());
  EXPECT_EQ(distinct.repeated(), 0);
}

TEST(RowSampleTest, EstimatesRepetitionInAnyOrder) {
  RowSample forwards;
  RowSample merged;
  RowSample part;
  for (uint64_t i = 0; i < 400'000; ++i) {
    forwards.add(profile_hash(i % 300'000));
    const uint64_t other = 399'999 - i;
    part.add(profile_hash(other % 300'000));
    if (i % 70'000 == 0) {
      merged.merge(part);
      part = RowSample();
    }
  }
  merged.merge(part);
  EXPECT_NEAR(static_cast<double>(forwards.repeated()), 100'000, 3'000);
  EXPECT_EQ(bytes_of(forwards), bytes_of(merged));
  const std::string bytes = bytes_of(forwards);
  RowSample read;
  StateReader in(bytes);
  ASSERT_TRUE(read.read(in));
  EXPECT_NEAR(static_cast<double>(read.repeated()), 100'000, 12'000);
  // A hash that its level would have left out.
  StateReader wrong(std::string_view("\x03\x01\x00\x01\x01", 5));
  EXPECT_FALSE(RowSample().read(wrong));
}

TEST(MomentsTest, MergedEqualWhole) {
  base::Random random(5);
  std::vector<WeightedNumber> all;
  Moments merged;
  for (int part = 0; part < 10; ++part) {
    std::vector<WeightedNumber> piece;
    for (int i = 0; i < 100; ++i) {
      piece.push_back({std::exp(random.normal()) + part, 1 + i % 3});
      all.push_back(piece.back());
    }
    merged.merge(moments_of(piece));
  }
  merged.merge(Moments());
  const Moments whole = moments_of(all);
  EXPECT_EQ(merged.count, whole.count);
  EXPECT_NEAR(merged.mean, whole.mean, 1e-12 * whole.mean);
  EXPECT_NEAR(merged.m2, whole.m2, 1e-10 * whole.m2);
  EXPECT_NEAR(merged.m3, whole.m3, 1e-9 * std::abs(whole.m3));
}

TEST(KeysTest, SortLikeTheirValues) {
  const std::vector<double> numbers = {-1e300, -2.5, -1e-300, 0, 1e-300, 1, 3.5, 1e300};
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(number_of_key(key_of_number(numbers[i])), numbers[i]);
    if (i > 0) {
      EXPECT_LT(key_of_number(numbers[i - 1]), key_of_number(numbers[i]));
    }
  }
  EXPECT_EQ(key_of_number(-0.0), key_of_number(0.0));
  EXPECT_LT(key_of_integer(INT64_MIN), key_of_integer(-1));
  EXPECT_LT(key_of_integer(-1), key_of_integer(0));
  EXPECT_EQ(integer_of_key(key_of_integer(INT64_MAX)), INT64_MAX);
}

TEST(LooksTest, NumbersAndDatesAndPatterns) {
  for (const char* text : {"1", "-2.5", "+3", " 4 ", "1e5", "12%", "1,234.50", "3,14", ".5"}) {
    EXPECT_TRUE(looks_like_number(text)) << text;
  }
  for (const char* text : {"", "-", "1a", "abc", "1-2", "nan", "1,2,3.4.5"}) {
    EXPECT_FALSE(looks_like_number(text)) << text;
  }
  for (const char* text : {"2001-02-03", "3/4/2001", "03.04.01", "2001-02-03T10:11:12Z",
                           "2001/2/3 10:11", "10:30", "7:05:59"}) {
    EXPECT_TRUE(looks_like_date(text)) << text;
  }
  for (const char* text :
       {"", "2001", "2001-02", "1.2.3.4", "2001-02/03", "2001-02-03 noon", "12345-1-1", "abc"}) {
    EXPECT_FALSE(looks_like_date(text)) << text;
  }
  EXPECT_EQ(pattern_of("AB-1234"), "A+-9+");
  EXPECT_EQ(pattern_of("Braund, Mr. Owen"), "Aa+, Aa. Aa+");
  EXPECT_EQ(pattern_of(""), "");
  EXPECT_EQ(pattern_of("a\xC3\xA9\tb"), "a+ a");
}

TEST(HashTest, NeverChanges) {
  EXPECT_EQ(profile_hash(uint64_t{1}), 0xb456bcfc34c2cb2cULL);
  EXPECT_EQ(profile_hash(std::string_view("")), profile_hash(uint64_t{0x2545f4914f6cdd1d}));
  EXPECT_NE(profile_hash(std::string_view("ab")), profile_hash(std::string_view("ab\0", 3)));
}

}  // namespace
}  // namespace cromford::table
