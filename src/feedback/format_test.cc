#include "feedback/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "feedback/codec.h"
#include "testing/status_matchers.h"

namespace cromford::feedback {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::StatusIs;

base::Time at(int64_t seconds) {
  return base::Time(std::chrono::seconds(seconds));
}

// A segment of outcomes with these ids; `ends` gets where each of its frames ends.
std::string segment_of(const std::vector<std::string>& ids, std::vector<uint64_t>& ends) {
  std::string segment = encode_header({SegmentKind::kOutcomes, 7, at(1000)});
  std::string frames;
  ends.push_back(segment.size());
  for (const std::string& id : ids) {
    append_outcome(
        frames,
        {.endpoint = "default/late", .id = id, .text = "true", .at = at(5), .arrival_time = at(6)});
    ends.push_back(segment.size() + frames.size());
  }
  seal_frames(frames, frame_seed(segment));
  return segment + frames;
}

struct Scanned {
  std::vector<std::string> ids;
  uint64_t end = 0;
  bool torn = false;
  size_t gaps = 0;
};

Scanned scan(std::string_view segment) {
  Scanned result;
  auto scanner = SegmentScanner::create(segment);
  if (!scanner.ok()) {
    return result;
  }
  Frame frame;
  while (scanner->next(frame)) {
    const auto outcome = decode_outcome(frame.payload);
    result.ids.emplace_back(outcome.ok() ? outcome->id : "unreadable");
  }
  result.end = scanner->end();
  result.torn = scanner->tail_is_torn();
  result.gaps = scanner->gaps().size();
  return result;
}

TEST(FormatTest, HeaderIsReadBackAndRefusedWhenAnyBitIsWrong) {
  const std::string header = encode_header({SegmentKind::kPredictions, 12, at(77)});
  ASSERT_EQ(header.size(), kSegmentHeaderBytes);
  ASSERT_OK_AND_ASSIGN(const SegmentHeader read, decode_header(header));
  EXPECT_EQ(read.kind, SegmentKind::kPredictions);
  EXPECT_EQ(read.number, 12U);
  EXPECT_EQ(read.created_at, at(77));
  for (size_t i = 0; i < header.size() * 8; ++i) {
    std::string flipped = header;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    EXPECT_THAT(decode_header(flipped), StatusIs(absl::StatusCode::kDataLoss)) << i;
  }
}

TEST(FormatTest, TornTailIsCutAtEveryByte) {
  const std::vector<std::string> ids{"a", "bb", "order-17"};
  std::vector<uint64_t> ends;
  const std::string segment = segment_of(ids, ends);
  for (size_t size = kSegmentHeaderBytes; size <= segment.size(); ++size) {
    const Scanned scanned = scan(std::string_view(segment).substr(0, size));
    size_t whole = 0;
    while (whole + 1 < ends.size() && ends[whole + 1] <= size) {
      ++whole;
    }
    EXPECT_EQ(scanned.ids,
              std::vector<std::string>(ids.begin(), ids.begin() + static_cast<long>(whole)));
    EXPECT_EQ(scanned.end, ends[whole]) << size;
    EXPECT_TRUE(scanned.torn) << size;
    EXPECT_EQ(scanned.gaps, 0U);
  }
}

TEST(FormatTest, ZerosBehindTheLastFrameAreATornTail) {
  std::vector<uint64_t> ends;
  const std::string segment = segment_of({"a"}, ends) + std::string(4096, '\0');
  const Scanned scanned = scan(segment);
  EXPECT_THAT(scanned.ids, ElementsAre("a"));
  EXPECT_TRUE(scanned.torn);
}

// Whatever bit is wrong: no record is read that was not written, and unless the damage lies in the
// last record, it is seen as damage and the records behind it are still found.
TEST(FormatTest, FlippedBitIsFoundAtEveryByte) {
  const std::vector<std::string> ids{"a", "bb", "ccc"};
  std::vector<uint64_t> ends;
  const std::string segment = segment_of(ids, ends);
  for (size_t i = kSegmentHeaderBytes * 8; i < segment.size() * 8; ++i) {
    std::string flipped = segment;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    size_t hit = 0;
    while (ends[hit + 1] <= i / 8) {
      ++hit;
    }
    std::vector<std::string> expected = ids;
    expected.erase(expected.begin() + static_cast<long>(hit));
    const Scanned scanned = scan(flipped);
    EXPECT_EQ(scanned.ids, expected) << "bit " << i;
    EXPECT_EQ(scanned.gaps, hit + 1 < ids.size() ? 1U : 0U) << "bit " << i;
    EXPECT_EQ(scanned.end, hit + 1 < ids.size() ? ends.back() : ends[hit]) << "bit " << i;
  }
}

TEST(FormatTest, FrameOfAnotherSegmentIsNotBelieved) {
  std::vector<uint64_t> ends;
  const std::string segment = segment_of({"a"}, ends);
  const std::string other = encode_header({SegmentKind::kOutcomes, 8, at(1000)});
  const Scanned scanned = scan(other + segment.substr(kSegmentHeaderBytes));
  EXPECT_THAT(scanned.ids, IsEmpty());
  EXPECT_FALSE(scanned.torn);
}

TEST(FormatTest, FooterIsReadFromTheEndAndNotWhenDamaged) {
  std::vector<uint64_t> ends;
  std::string segment = segment_of({"a", "b"}, ends);
  const Footer footer{.records = 2,
                      .last_arrival = at(6),
                      .layouts = {40, 96},
                      .shares = {{"default/late", 2, at(5), at(5), at(6)}}};
  const size_t begin = segment.size();
  segment += encode_footer(footer, frame_seed(segment));
  ASSERT_OK_AND_ASSIGN(const Footer read, read_footer(segment));
  EXPECT_EQ(read.records, 2U);
  EXPECT_EQ(read.last_arrival, at(6));
  EXPECT_THAT(read.layouts, ElementsAre(40, 96));
  ASSERT_EQ(read.shares.size(), 1U);
  EXPECT_EQ(read.shares[0].endpoint, "default/late");
  EXPECT_EQ(read.shares[0].last_arrival, at(6));
  for (size_t i = begin * 8; i < segment.size() * 8; ++i) {
    std::string flipped = segment;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    EXPECT_THAT(read_footer(flipped), StatusIs(absl::StatusCode::kDataLoss)) << i;
  }
  for (size_t size = 0; size < segment.size(); ++size) {
    EXPECT_THAT(read_footer(segment.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST(CodecTest, RecordsAreReadBack) {
  const Layout layout{
      .endpoint = "default/late",
      .model = "late",
      .model_version = 3,
      .variant = "canary",
      .classes = {"no", "yes"},
      .columns = {{"origin", ColumnType::kText}, {"distance", ColumnType::kNumber}}};
  std::string frames;
  append_layout(frames, 5, layout);
  ASSERT_OK_AND_ASSIGN(const NumberedLayout read, decode_layout(unchecked_payload(frames, 0)));
  EXPECT_EQ(read.number, 5U);
  EXPECT_EQ(read.layout, layout);

  const double numbers[] = {612.5};
  const std::string_view texts[] = {{}};
  const double answer[] = {0.25, 0.75};
  const PredictionRecord record{.layout = 5,
                                .id = "order-17",
                                .event_time = at(1),
                                .arrival_time = at(2),
                                .key = "k",
                                .request_id = "r",
                                .latency_us = 9,
                                .numbers = numbers,
                                .texts = texts,
                                .answer = answer,
                                .label = 1};
  const LayoutShape shape = shape_of(layout);
  ASSERT_OK(check_prediction(record, shape));
  frames.clear();
  append_prediction(frames, record);
  EXPECT_EQ(frames.size() % 8, 0U);
  const std::string payload(unchecked_payload(frames, 0));
  ASSERT_OK_AND_ASSIGN(const PredictionView view, view_prediction(payload));
  EXPECT_EQ(view.id, "order-17");
  EXPECT_EQ(view.key, "k");
  EXPECT_EQ(view.request_id, "r");
  EXPECT_EQ(view.latency_us, 9U);
  EXPECT_EQ(view.label, 1);
  PredictionValues values;
  ASSERT_OK(decode_values(view, shape, values));
  EXPECT_THAT(values.answer, ElementsAre(0.25, 0.75));
  EXPECT_THAT(values.numbers, ElementsAre(612.5));
  EXPECT_EQ(values.texts[0].data(), nullptr);
  for (size_t size = 0; size < payload.size(); ++size) {
    const auto cut = view_prediction(std::string_view(payload).substr(0, size));
    EXPECT_TRUE(!cut.ok() || !decode_values(*cut, shape, values).ok()) << size;
  }
}

TEST(CodecTest, MisfitsAreNamed) {
  const LayoutShape binary{.numbers = 1, .texts = 0, .classes = 2};
  const double one[] = {1.0};
  const double two[] = {0.5, 0.5};
  const auto status = [&](PredictionRecord record) { return check_prediction(record, binary); };
  EXPECT_OK(status({.id = "a", .numbers = one, .answer = two, .label = 1}));
  const auto invalid = [](std::string_view part) {
    return StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr(std::string(part)));
  };
  EXPECT_THAT(status({.id = "", .numbers = one, .answer = two, .label = 1}), invalid("128"));
  EXPECT_THAT(status({.id = std::string(129, 'x'), .numbers = one, .answer = two, .label = 1}),
              invalid("128"));
  EXPECT_THAT(status({.id = "a", .numbers = two, .answer = two, .label = 1}), invalid("layout"));
  EXPECT_THAT(status({.id = "a", .numbers = one, .answer = one, .label = 1}), invalid("classes"));
  EXPECT_THAT(status({.id = "a", .numbers = one, .answer = two, .label = 2}), invalid("classes"));
  const std::string huge(kTextBytesMax + 1, 'x');
  const std::string_view texts[] = {huge};
  EXPECT_THAT(check_prediction({.id = "a", .texts = texts, .answer = one}, {.texts = 1}),
              invalid("at most"));
}

}  // namespace
}  // namespace cromford::feedback
