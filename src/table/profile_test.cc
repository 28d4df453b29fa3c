#include "table/profile.h"
#include "table/column_samples_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file_system.h"
#include "base/random.h"
#include "table/profile_builder.h"
#include "table/profile_state.h"
#include "testing/status_matchers.h"

namespace cromford::table {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void set_missing(Column& column, size_t rows, const std::vector<size_t>& missing) {
  column.validity.assign((rows + 63) / 64, ~uint64_t{0});
  for (const size_t row : missing) {
    column.validity[row / 64] &= ~(uint64_t{1} << (row % 64));
  }
  column.missing_count = static_cast<int64_t>(missing.size());
}

Profile profile_of(std::vector<Column> columns, size_t rows) {
  const Table table(std::move(columns), static_cast<int64_t>(rows));
  absl::StatusOr<Profile> profile = profile_table(table);
  EXPECT_OK(profile);
  return *profile;
}

std::vector<std::string> codes_of(const Profile& profile) {
  std::vector<std::string> codes;
  for (const ProfileWarning& warning : profile.warnings) {
    codes.push_back(warning.code);
  }
  return codes;
}

std::vector<std::string> repeated(const std::vector<std::string>& values, size_t rows) {
  std::vector<std::string> all;
  for (size_t i = 0; i < rows; ++i) {
    all.push_back(values[i % values.size()]);
  }
  return all;
}

TEST(ProfileTest, FiguresOfAFewIntegersAreExact) {
  Column column = integers("delay", {5, -1, 3, 3, 0, 100, 7, 7, 7, 4});
  set_missing(column, 10, {9});
  const Profile profile = profile_of({column}, 10);
  EXPECT_EQ(profile.row_count, 10);
  const ColumnProfile& delay = profile.columns[0];
  EXPECT_EQ(delay.missing, 1);
  EXPECT_EQ(delay.distinct, 6);
  EXPECT_TRUE(delay.exact);
  ASSERT_TRUE(delay.number);
  EXPECT_EQ(delay.number->min, -1);
  EXPECT_EQ(delay.number->max, 100);
  EXPECT_NEAR(delay.number->mean, 131.0 / 9, 1e-12);
  EXPECT_NEAR(delay.number->sd, 32.1796, 1e-4);
  EXPECT_EQ(delay.number->quantiles[4], 5);
  EXPECT_EQ(delay.number->zero, 1);
  EXPECT_EQ(delay.number->negative, 1);
  EXPECT_EQ(delay.number->outliers_high, 1);
  EXPECT_EQ(delay.number->outliers_low, 0);
  EXPECT_EQ(delay.top[0], (TopValue{"7", 3}));
  EXPECT_EQ(delay.top[1], (TopValue{"3", 2}));
}

TEST(ProfileTest, MissingCellsOfAllKindsAreCounted) {
  Column number = numbers("x", {1, NAN, INFINITY, -INFINITY, 2});
  Column text = texts("t", {"a", "b", "c", "d", "e"});
  set_missing(text, 5, {0, 4});
  Column flag = integers("f", {1, 0, 1, 1, 0}, ColumnType::kBoolean);
  set_missing(flag, 5, {1});
  Column day = integers("d", {0, 1, 2, 3, 11354}, ColumnType::kDate);
  set_missing(day, 5, {0, 1, 2});
  const Profile profile = profile_of({number, text, flag, day}, 5);
  EXPECT_EQ(profile.columns[0].missing, 3);
  EXPECT_EQ(profile.columns[1].missing, 2);
  EXPECT_EQ(profile.columns[2].missing, 1);
  EXPECT_EQ(profile.columns[3].missing, 3);
  EXPECT_EQ(profile.columns[2].semantic, SemanticType::kBoolean);
  EXPECT_EQ(profile.columns[2].top[0], (TopValue{"true", 3}));
  EXPECT_EQ(profile.columns[3].semantic, SemanticType::kDatetime);
  EXPECT_THAT(profile.columns[3].top, Contains(TopValue{"2001-02-01", 1}));
  EXPECT_THAT(codes_of(profile), Contains("many_missing"));
}

TEST(ProfileTest, NoRowsAndNoValues) {
  const Profile none = profile_of({numbers("x", {}), texts("t", {})}, 0);
  EXPECT_EQ(none.columns[0].semantic, SemanticType::kConstant);
  EXPECT_FALSE(none.columns[0].number);
  EXPECT_THAT(codes_of(none), ElementsAre("no_rows"));
  Column text = texts("t", {"", ""});
  set_missing(text, 2, {0, 1});
  const Profile empty = profile_of({numbers("x", {NAN, NAN}), text}, 2);
  EXPECT_THAT(codes_of(empty), ElementsAre("duplicate_rows", "all_missing", "all_missing"));
}

struct SemanticCase {
  std::string label;
  Column column;
  SemanticType expected;
};

TEST(ProfileTest, SemanticTypesFollowFromValues) {
  constexpr size_t kRows = 400;
  std::vector<int64_t> sequence;
  std::vector<int64_t> years;
  std::vector<int64_t> ages;
  std::vector<double> prices;
  std::vector<std::string> names;
  std::vector<std::string> tickets;
  for (size_t i = 0; i < kRows; ++i) {
    sequence.push_back(static_cast<int64_t>(1000 + i));
    years.push_back(static_cast<int64_t>(1600 + i));
    ages.push_back(static_cast<int64_t>(18 + i * 37 % 60));
    prices.push_back(static_cast<double>(i * 7919 % 1000) / 7);
    names.push_back("Mr. Number " + std::to_string(i));
    tickets.push_back("T-" + std::to_string(10'000 + i));
  }
  const std::vector<SemanticCase> cases = {
      {"dense sequence", integers("row", sequence), SemanticType::kIdentifier},
      {"named id", integers("customerId", sequence), SemanticType::kIdentifier},
      {"years", integers("year", years), SemanticType::kNumber},
      {"ages", integers("age", ages), SemanticType::kNumber},
      {"code", integers("job_code", ages), SemanticType::kCategory},
      {"prices", numbers("price", prices), SemanticType::kNumber},
      {"zero and one", numbers("late", std::vector<double>(kRows, 1)), SemanticType::kConstant},
      {"names", texts("name", names), SemanticType::kText},
      {"tickets", texts("ticket", tickets), SemanticType::kIdentifier},
      {"colours", texts("colour", repeated({"red", "green", "blue"}, kRows)),
       SemanticType::kCategory},
      {"yes and no", texts("churn", repeated({"Yes", "No"}, kRows)), SemanticType::kBoolean},
      {"numbers as text", texts("total", repeated({"1.5", "2", "3,5"}, kRows)),
       SemanticType::kNumber},
      {"dates as text", texts("when", repeated({"2001-01-02", "3/4/2001"}, kRows)),
       SemanticType::kDatetime},
      {"long texts",
       texts("review", repeated({std::string(80, 'x'), std::string(90, 'y'), "z"}, kRows)),
       SemanticType::kCategory},
  };
  for (const SemanticCase& one : cases) {
    const Profile profile = profile_of({one.column}, kRows);
    const bool is_long = one.label == "long texts";
    EXPECT_EQ(profile.columns[0].semantic, is_long ? SemanticType::kCategory : one.expected)
        << one.label << ": " << semantic_type_name(profile.columns[0].semantic);
  }
}

struct WarningCase {
  std::string code;
  Column column;
  std::string words;
};

TEST(ProfileTest, WarningsNameWhatIsOdd) {
  constexpr size_t kRows = 400;
  std::vector<int64_t> with_minus;
  std::vector<int64_t> with_nines;
  std::vector<double> skewed;
  std::vector<double> spiked;
  std::vector<int64_t> days;
  std::vector<std::string> mixed;
  std::vector<std::string> almost_one(kRows, "yes");
  almost_one[0] = "no";  // 399 of 400 are the same.
  for (size_t i = 0; i < kRows; ++i) {
    const auto value = static_cast<double>(i);
    with_minus.push_back(i % 10 == 0 ? -1 : static_cast<int64_t>(20 + i % 50));
    with_nines.push_back(i % 20 == 0 ? 999 : static_cast<int64_t>(20 + i % 50));
    skewed.push_back(std::exp(value / 40));
    spiked.push_back(i % 3 == 0 ? 0 : value);
    days.push_back(i == 0 ? -25567 : static_cast<int64_t>(10'000 + i));
    mixed.push_back(i % 2 == 0 ? std::to_string(i % 9) : "abc");
  }
  skewed.back() = 1e9;
  const std::vector<WarningCase> cases = {
      {"constant", texts("c", std::vector<std::string>(kRows, "same")), "same"},
      {"nearly_constant", texts("c", almost_one), "99.8% of the values are yes"},
      {"suspicious_value", integers("c", with_minus), "-1 occurs 40 times"},
      {"suspicious_value", integers("c", with_nines), "999 occurs 20 times"},
      {"suspicious_value", integers("c", days, ColumnType::kDate), "1900-01-01"},
      {"skewed", numbers("c", skewed), "right"},
      {"spike", numbers("c", spiked), "exactly 0"},
      {"mixed_numbers_and_text", texts("c", mixed), "50%"},
      {"numbers_as_text", texts("c", repeated({"1", "2"}, kRows)), "import the column as a number"},
      {"numbers_as_text", texts("c", repeated({"10", "0123"}, kRows)),
       "such as 0123, kept as text"},
      {"numbers_as_text", texts("c", repeated({"1", "12345678901234567890"}, kRows)),
       "kept as text because a number would lose some"},
      {"dates_as_text", texts("c", repeated({"2001-01-02", "2001-01-03"}, kRows)), "100%"},
      {"blank_texts", texts("c", repeated({"a", "", "  ", "b"}, kRows)), "200"},
      {"padded_texts", texts("c", repeated({"a ", "b"}, kRows)), "200"},
      {"missing_marks", texts("c", repeated({"a", "N/A", "b"}, kRows)), "N/A"},
      {"spelling_variants", texts("c", repeated({"Rome", "rome", "Oslo"}, kRows)),
       "\"Rome\" and \"rome\""},
  };
  for (const WarningCase& one : cases) {
    const Profile profile = profile_of({one.column}, kRows);
    EXPECT_THAT(profile.warnings,
                Contains(::testing::AllOf(Field(&ProfileWarning::code, one.code),
                                          Field(&ProfileWarning::column, "c"),
                                          Field(&ProfileWarning::text, HasSubstr(one.words)))))
        << one.code << ": " << ::testing::PrintToString(codes_of(profile));
  }
}

TEST(ProfileTest, OrdinaryColumnsGiveNoWarnings) {
  base::Random random(1);
  std::vector<double> values;
  std::vector<std::string> cities;
  for (int i = 0; i < 5000; ++i) {
    values.push_back(random.normal());
    cities.push_back("city" + std::to_string(random.below(12)));
  }
  const Profile profile = profile_of({numbers("x", values), texts("city", cities)}, values.size());
  EXPECT_THAT(profile.warnings, IsEmpty());
}

TEST(ProfileTest, RepeatedRowsAreCounted) {
  const Profile profile =
      profile_of({integers("a", {1, 1, 2, 1}), texts("b", {"x", "x", "x", "y"})}, 4);
  EXPECT_EQ(profile.duplicate_rows, 1);
  EXPECT_TRUE(profile.duplicates_exact);
  EXPECT_THAT(codes_of(profile), ElementsAre("duplicate_rows"));
}

TEST(ProfileTest, HistogramsHoldEveryValueOnce) {
  base::Random random(2);
  for (const int64_t spread : {3, 60, 1000, 100'000}) {
    std::vector<int64_t> values;
    std::vector<double> wild;
    for (int i = 0; i < 3000; ++i) {
      values.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(spread))));
      wild.push_back(std::exp(20 * random.normal()));
    }
    const Profile profile = profile_of({integers("a", values), numbers("b", wild)}, 3000);
    for (const ColumnProfile& column : profile.columns) {
      const Histogram& histogram = column.number->histogram;
      ASSERT_LE(histogram.counts.size(), 64u);
      ASSERT_EQ(histogram.edges.size(), histogram.counts.size() + 1);
      EXPECT_LE(histogram.edges.front(), column.number->min);
      EXPECT_GE(histogram.edges.back(), column.number->max);
      int64_t total = 0;
      for (const int64_t count : histogram.counts) {
        total += count;
      }
      EXPECT_EQ(total, 3000);
    }
  }
}

// A table with every type of column, large enough for sketches and several blocks.
Table large_table(size_t rows) {
  base::Random random(7);
  Column time = integers("time", {}, ColumnType::kTimestamp);
  Column few = integers("few", {});
  Column number = numbers("number", {});
  Column category;
  category.name = "category";
  category.dictionary = {"a", "b", "c"};
  Column word;
  word.name = "word";
  for (size_t i = 0; i < 20'000; ++i) {
    word.dictionary.push_back("word" + std::to_string(i));
  }
  for (size_t i = 0; i < rows; ++i) {
    time.integers.push_back(static_cast<int64_t>(random.below(1'000'000'000'000)));
    few.integers.push_back(static_cast<int64_t>(random.below(100)));
    number.numbers.push_back(i % 5 == 0 ? NAN : random.normal());
    category.codes.push_back(static_cast<uint32_t>(random.below(3)));
    word.codes.push_back(static_cast<uint32_t>(random.below(20'000)));
  }
  return Table({time, few, number, category, word}, static_cast<int64_t>(rows));
}

// Feeds rows [begin, end) of `table` in chunks of `step` rows, a multiple of 64.
void feed(const Table& table, size_t begin, size_t end, size_t step, ProfileBuilder& builder) {
  std::vector<ColumnView> views(table.columns().size());
  for (size_t at = begin; at < end; at += step) {
    const size_t count = std::min(step, end - at);
    std::vector<std::string_view> strings[2];
    size_t text_columns = 0;
    for (size_t i = 0; i < views.size(); ++i) {
      const Column& column = table.columns()[i];
      views[i] = ColumnView();
      views[i].type = column.type;
      if (column.type == ColumnType::kNumber) {
        views[i].numbers = std::span(column.numbers).subspan(at, count);
      } else if (column.type == ColumnType::kText) {
        std::vector<std::string_view>& cells = strings[text_columns++];
        for (size_t row = at; row < at + count; ++row) {
          cells.push_back(column.text(static_cast<int64_t>(row)));
        }
        views[i].texts = cells;
      } else {
        views[i].integers = std::span(column.integers).subspan(at, count);
      }
    }
    ASSERT_OK(builder.add(Chunk(static_cast<int64_t>(at), count, views)));
  }
}

TEST(ProfileBuilderTest, TheResultDependsNeitherOnChunksNorOnPartition) {
  constexpr size_t kRows = 300'000;
  const Table table = large_table(kRows);
  ProfileBuilder whole(table.schema());
  feed(table, 0, kRows, 2048, whole);
  const Profile expected = whole.finish();
  EXPECT_FALSE(expected.columns[0].exact);
  EXPECT_TRUE(expected.columns[1].exact);

  ProfileBuilder other_chunks(table.schema());
  feed(table, 0, kRows, 64 * 999, other_chunks);
  EXPECT_EQ(other_chunks.finish(), expected);

  ProfileBuilder merged(table.schema());
  for (size_t begin = 0; begin < kRows; begin += kBlockRows) {
    ProfileBuilder block(table.schema());
    feed(table, begin, std::min(kRows, begin + static_cast<size_t>(kBlockRows)), 1024, block);
    ASSERT_OK(merged.merge(block));
  }
  EXPECT_EQ(merged.finish(), expected);

  // Blocks that look for repeated rows no closer than the rows before them.
  ProfileBuilder sampled(table.schema());
  for (size_t begin = 0; begin < kRows; begin += kBlockRows) {
    ProfileBuilder block(table.schema());
    block.raise_row_sample_level(sampled.row_sample_level());
    feed(table, begin, std::min(kRows, begin + static_cast<size_t>(kBlockRows)), 1024, block);
    ASSERT_OK(sampled.merge(block));
  }
  EXPECT_GT(sampled.row_sample_level(), 0U);
  EXPECT_EQ(sampled.finish(), expected);

  ASSERT_OK_AND_ASSIGN(const Profile in_memory, profile_table(table));
  EXPECT_EQ(in_memory, expected);
}

TEST(ProfileBuilderTest, SketchesAreCloseToTheTruth) {
  constexpr size_t kRows = 300'000;
  const Table table = large_table(kRows);
  ASSERT_OK_AND_ASSIGN(const Profile profile, profile_table(table));
  const ColumnProfile& number = profile.columns[2];
  EXPECT_NEAR(static_cast<double>(number.distinct), 240'000, 8'000);
  EXPECT_NEAR(number.number->mean, 0, 0.01);
  EXPECT_NEAR(number.number->sd, 1, 0.01);
  EXPECT_NEAR(number.number->skewness, 0, 0.05);
  EXPECT_NEAR(number.number->quantiles[4], 0, 0.03);
  EXPECT_NEAR(number.number->quantiles[0], -2.326, 0.2);
  EXPECT_NEAR(static_cast<double>(number.number->outliers_low + number.number->outliers_high),
              0.007 * 240'000, 0.01 * 240'000);
  EXPECT_NEAR(static_cast<double>(profile.columns[4].distinct), 20'000, 800);
  EXPECT_EQ(profile.columns[4].semantic, SemanticType::kCategory);
  EXPECT_EQ(profile.duplicate_rows, 0);
  EXPECT_LT(profile.state.size(), 150'000u);
}

TEST(ProfileBuilderTest, AppendingMergesTheParentsState) {
  constexpr size_t kRows = 200'000;
  const Table table = large_table(kRows);
  ProfileBuilder first(table.schema());
  feed(table, 0, 128'000, 2048, first);
  // The parent goes through its stored form.
  ASSERT_OK_AND_ASSIGN(const Profile parent, profile_from_json(to_json(first.finish())));
  ASSERT_OK_AND_ASSIGN(ProfileBuilder grown, ProfileBuilder::resume(table.schema(), parent));
  EXPECT_EQ(grown.row_count(), 128'000);
  feed(table, 128'000, kRows, 2048, grown);
  const Profile both = grown.finish();
  ASSERT_OK_AND_ASSIGN(const Profile whole, profile_table(table));
  EXPECT_EQ(both.row_count, whole.row_count);
  for (size_t i = 0; i < whole.columns.size(); ++i) {
    EXPECT_EQ(both.columns[i].missing, whole.columns[i].missing);
    EXPECT_EQ(both.columns[i].distinct, whole.columns[i].distinct);
    if (whole.columns[i].exact) {
      EXPECT_EQ(both.columns[i], whole.columns[i]);
    } else if (whole.columns[i].number) {
      EXPECT_EQ(both.columns[i].number->min, whole.columns[i].number->min);
      EXPECT_EQ(both.columns[i].number->max, whole.columns[i].number->max);
      EXPECT_NEAR(both.columns[i].number->mean, whole.columns[i].number->mean,
                  1e-9 * std::abs(whole.columns[i].number->sd));
    }
  }
}

TEST(ProfileBuilderTest, SmallMergesEqualTheWholeExactly) {
  const Table table = large_table(4000);
  ASSERT_OK_AND_ASSIGN(const Profile whole, profile_table(table));
  ProfileBuilder merged(table.schema());
  for (const auto& [begin, end] : {std::pair<size_t, size_t>{0, 640}, {640, 704}, {704, 4000}}) {
    ProfileBuilder part(table.schema());
    feed(table, begin, end, 64, part);
    ASSERT_OK_AND_ASSIGN(const ProfileBuilder stored,
                         ProfileBuilder::resume(table.schema(), part.finish()));
    ASSERT_OK(merged.merge(stored));
  }
  EXPECT_EQ(merged.finish(), whole);
}

TEST(ProfileBuilderTest, WrongChunksAndSchemasAreRefused) {
  const Schema schema{{{"a", ColumnType::kInteger}}};
  ProfileBuilder builder(schema);
  EXPECT_THAT(builder.add(Chunk(0, 1, {})), StatusIs(absl::StatusCode::kInvalidArgument));
  std::vector<ColumnView> views(1);
  views[0].type = ColumnType::kInteger;
  EXPECT_THAT(builder.add(Chunk(0, 1, views)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("column a")));
  views[0].type = ColumnType::kNumber;
  EXPECT_THAT(builder.add(Chunk(0, 0, views)), StatusIs(absl::StatusCode::kInvalidArgument));
  const ProfileBuilder other(Schema{{{"b", ColumnType::kInteger}}});
  EXPECT_THAT(builder.merge(other), StatusIs(absl::StatusCode::kInvalidArgument,
                                             HasSubstr("column a of the profile is not there")));
  const ProfileBuilder narrower(Schema{{{"a", ColumnType::kBoolean}}});
  EXPECT_THAT(builder.merge(narrower),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("continued as boolean")));
  EXPECT_THAT(ProfileBuilder::resume(schema, other.finish()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ProfileBuilderTest, DamagedStatesAreRefused) {
  const Profile good = profile_of({integers("a", {1, 2, 3}), texts("b", {"x", "y", "z"})}, 3);
  const Schema schema = schema_of(good);
  for (size_t at = 0; at < good.state.size(); ++at) {
    Profile bad = good;
    bad.state[at] = static_cast<char>(bad.state[at] ^ 1);
    EXPECT_THAT(ProfileBuilder::resume(schema, bad).status(), StatusIs(absl::StatusCode::kDataLoss))
        << at;
    bad.state = good.state.substr(0, at);
    EXPECT_THAT(ProfileBuilder::resume(schema, bad).status(), StatusIs(absl::StatusCode::kDataLoss))
        << at;
  }
}

TEST(ProfileJsonTest, ReadsBackWhatItWrites) {
  const Table table = large_table(10'000);
  ASSERT_OK_AND_ASSIGN(const Profile profile, profile_table(table));
  const base::Json document = to_json(profile);
  ASSERT_OK_AND_ASSIGN(const base::Json reparsed, base::parse_json(base::dump_json(document)));
  ASSERT_OK_AND_ASSIGN(const Profile read, profile_from_json(reparsed));
  EXPECT_EQ(read, profile);
  const base::Json for_people = to_json(profile, ProfileDetail::kWithoutState);
  EXPECT_FALSE(for_people.contains("state"));
  ASSERT_OK_AND_ASSIGN(const Profile stateless, profile_from_json(for_people));
  EXPECT_THAT(ProfileBuilder::resume(table.schema(), stateless).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("absent")));
}

// A profile of 12,000 rows as format 1 stores it must be understood for ever: its columns are
// x = 2 (i * i mod 6007), y (a seventh missing), word = "w" + (i mod 5000), flag and day.
TEST(ProfileJsonTest, TheGoldenFileOfFormat1KeepsLoading) {
  const std::string path = CROMFORD_SOURCE_DIR "/src/table/testdata/profile_v1.json";
  ASSERT_OK_AND_ASSIGN(const std::string text, base::system_files().read(path));
  ASSERT_OK_AND_ASSIGN(const base::Json document, base::parse_json(text));
  ASSERT_OK_AND_ASSIGN(const Profile golden, profile_from_json(document));
  EXPECT_EQ(to_json(golden), document);
  ASSERT_OK_AND_ASSIGN(ProfileBuilder builder, ProfileBuilder::resume(schema_of(golden), golden));
  const Profile again = builder.finish();
  EXPECT_EQ(again.state, golden.state);
  EXPECT_EQ(again.columns, golden.columns);
  EXPECT_EQ(golden.row_count, 12'000);
  EXPECT_NEAR(static_cast<double>(golden.columns[2].distinct), 5000, 150);
  EXPECT_FALSE(golden.columns[2].exact);
  EXPECT_EQ(golden.columns[3].top[0], (TopValue{"false", 8000}));
  // The hashes inside have not changed either: the same words are not new ones.
  Column word = texts("word", {"w0", "w4999"});
  const Profile more = profile_of({integers("x", {0, 2}), numbers("y", {0, 1}), word,
                                   integers("flag", {0, 1}, ColumnType::kBoolean),
                                   integers("day", {11'000, 11'001}, ColumnType::kDate)},
                                  2);
  ASSERT_OK_AND_ASSIGN(const ProfileBuilder later, ProfileBuilder::resume(schema_of(more), more));
  ASSERT_OK(builder.merge(later));
  EXPECT_EQ(builder.finish().columns[2].distinct, golden.columns[2].distinct);
}

TEST(ProfileJsonTest, ErrorsNameTheMember) {
  const Profile profile =
      profile_of({integers("a", {1, 2, 3, 4}), texts("b", {"x", "y", "z", "y"})}, 4);
  const base::Json good = to_json(profile);
  const auto expect_refused = [&](const char* pointer, base::Json value, const char* words) {
    base::Json bad = good;
    bad[base::Json::json_pointer(pointer)] = std::move(value);
    EXPECT_THAT(profile_from_json(bad),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)))
        << pointer;
  };
  expect_refused("/format", 2, "/format must be 1");
  expect_refused("/row_count", -1, "/row_count must be a count");
  expect_refused("/row_count", 1e300, "/row_count must be a count");
  expect_refused("/duplicates_exact", 1, "/duplicates_exact must be true or false");
  expect_refused("/surprise", 1, "/surprise is not known");
  expect_refused("/columns", 1, "/columns must be a list");
  expect_refused("/columns/0", 1, "/columns/0 must be an object");
  expect_refused("/columns/1/name", "a", "has a twice");
  expect_refused("/columns/0/name", 1, "/columns/0/name must be a text");
  expect_refused("/columns/0/storage", "decimal", "not a column type");
  expect_refused("/columns/0/semantic", "money", "not a semantic type");
  expect_refused("/columns/0/missing", 5, "more than there are rows");
  expect_refused("/columns/0/number/mean", "x", "/columns/0/number/mean must be a number");
  expect_refused("/columns/0/number/quantiles", base::Json::array({1, 2}), "must be 9");
  expect_refused("/columns/0/number/histogram/counts", base::Json::array(), "one more");
  expect_refused("/columns/0/number/histogram/edges/0", 1e9, "must ascend");
  expect_refused("/columns/1/text/number_share", 2, "between 0 and 1");
  expect_refused("/columns/1/text/patterns/0/extra", 2, "extra is not known");
  expect_refused("/columns/0/top/0/count", -2, "count must be a count");
  expect_refused("/state", "!", "not base64url");
  base::Json absent = good;
  absent["columns"][0].erase("distinct");
  EXPECT_THAT(profile_from_json(absent), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  HasSubstr("/columns/0/distinct is absent")));
  EXPECT_THAT(profile_from_json(base::Json::array()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("must be an object")));
}

}  // namespace
}  // namespace cromford::table
