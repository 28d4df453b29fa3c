#include "feedback/compaction.h"

#include "feedback/log_fixture_test.h"
#include "table/scan.h"

namespace cromford::feedback {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;
using namespace std::chrono_literals;

class CompactionTest : public LogFixture {
 protected:
  void SetUp() override {
    open();
    ASSERT_OK_AND_ASSIGN(engine, table::Engine::create({}));
  }

  std::vector<uint32_t> closed(std::string_view endpoint = kLate) {
    EXPECT_OK(log->seal());
    std::vector<uint32_t> numbers;
    for (const SegmentShare& share : log->segments(endpoint)) {
      numbers.push_back(share.segment);
    }
    return numbers;
  }
  absl::StatusOr<CompactedPart> compact_all(std::string_view endpoint = kLate) {
    return compact(
        *log, *engine,
        {.endpoint = std::string(endpoint), .segments = closed(endpoint), .output = part});
  }
  table::Table read(const table::Schema& schema) {
    auto read = table::read_table(*engine, {schema, {part}});
    EXPECT_OK(read);
    return read.ok() ? *std::move(read) : table::Table();
  }
  static std::vector<std::string> cells(const table::Table& rows, std::string_view column) {
    std::vector<std::string> texts;
    const table::Column* const found = rows.find(column);
    EXPECT_NE(found, nullptr) << column;
    for (int64_t row = 0; found != nullptr && row < rows.row_count(); ++row) {
      texts.push_back(table::cell_text(*found, row));
    }
    return texts;
  }

  std::unique_ptr<table::Engine> engine;
  std::filesystem::path part = directory / "part.parquet";
};

TEST_F(CompactionTest, PartHasRowsAnswersAndWhatIsJoinedSoFar) {
  ASSERT_OK(predict("a"));
  clock.advance(1h);
  ASSERT_OK(predict("bb"));
  ASSERT_OK(predict("a"));  // Answered again; the first counts.
  ASSERT_OK(outcome("bb", "true", clock.now()));
  ASSERT_OK_AND_ASSIGN(const CompactedPart made, compact_all());
  EXPECT_EQ(made.row_count, 2);
  EXPECT_EQ(made.joined_count, 1);
  EXPECT_THAT(made.schema.names(),
              ElementsAre("id", "at", "model_version", "variant", "value", "probability",
                          "latency_us", "outcome", "outcome_at", "distance", "origin", "night",
                          "arrived_at", "model", "endpoint", "key"));
  const table::Table rows = read(made.schema);
  EXPECT_THAT(cells(rows, "id"), ElementsAre("a", "bb"));
  EXPECT_THAT(cells(rows, "at"), ElementsAre("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"));
  EXPECT_THAT(cells(rows, "endpoint"), ElementsAre("default/late", "default/late"));
  EXPECT_THAT(cells(rows, "model_version"), ElementsAre("3", "3"));
  EXPECT_THAT(cells(rows, "key"), ElementsAre("user-7", "user-7"));
  EXPECT_THAT(cells(rows, "latency_us"), ElementsAre("250", "250"));
  EXPECT_THAT(cells(rows, "distance"), ElementsAre("1", "2"));
  EXPECT_THAT(cells(rows, "origin"), ElementsAre("ORD", "ORD"));
  EXPECT_THAT(cells(rows, "night"), ElementsAre("true", "true"));
  EXPECT_THAT(cells(rows, "value"), ElementsAre("false", "false"));
  EXPECT_THAT(cells(rows, "probability"), ElementsAre("0.31", "0.31"));
  EXPECT_THAT(cells(rows, "outcome"), ElementsAre("", "true"));
  EXPECT_THAT(cells(rows, "outcome_at"), ElementsAre("", "2026-01-01T01:00:00Z"));
  EXPECT_FALSE(std::filesystem::exists(directory / "part.parquet.csv"));
}

TEST_F(CompactionTest, VersionsWithOtherColumnsAndClashingNamesShareAPart) {
  ASSERT_OK(predict("a"));
  Layout next = late_layout();
  next.model_version = 4;
  next.columns = {
      {"outcome", ColumnType::kText}, {"when", ColumnType::kTimestamp}, {"day", ColumnType::kDate}};
  const uint32_t number = log->declare(next);
  const double numbers[] = {1.5, 86'400.0 * 2};
  const std::string_view texts[] = {"say \"hi\",\nthen go"};
  const double answer[] = {0.5, 0.5};
  ASSERT_OK(log->writer(0).add({.layout = number,
                                .id = "b",
                                .event_time = clock.now(),
                                .arrival_time = clock.now(),
                                .numbers = numbers,
                                .texts = texts,
                                .answer = answer,
                                .label = 1}));
  ASSERT_OK(log->writer(0).flush());
  ASSERT_OK_AND_ASSIGN(const CompactedPart made, compact_all());
  const table::Table rows = read(made.schema);
  EXPECT_THAT(cells(rows, "distance"), ElementsAre("1", ""));
  EXPECT_THAT(cells(rows, "input_outcome"), ElementsAre("", "say \"hi\",\nthen go"));
  EXPECT_THAT(cells(rows, "when"), ElementsAre("", "1970-01-01T00:00:01.500000Z"));
  EXPECT_THAT(cells(rows, "day"), ElementsAre("", "1970-01-03"));
  EXPECT_THAT(cells(rows, "value"), ElementsAre("false", "true"));
}

TEST_F(CompactionTest, RegressionHasValueAndBounds) {
  const uint32_t number = log->declare({.endpoint = "default/price",
                                        .model = "price",
                                        .model_version = 1,
                                        .variant = "champion",
                                        .classes = {},
                                        .columns = {}});
  const double answer[] = {10.5, 9.0, 12.0};
  ASSERT_OK(log->writer(0).add({.layout = number,
                                .id = "a",
                                .event_time = clock.now(),
                                .arrival_time = clock.now(),
                                .answer = answer}));
  ASSERT_OK(log->writer(0).flush());
  const OutcomeRecord records[] = {{"a", {.number = 11.25}, std::nullopt}};
  ASSERT_OK(log->add_outcomes("default/price", {}, records));
  ASSERT_OK_AND_ASSIGN(const CompactedPart made, compact_all("default/price"));
  const table::Table rows = read(made.schema);
  EXPECT_THAT(cells(rows, "value"), ElementsAre("10.5"));
  EXPECT_THAT(cells(rows, "lower"), ElementsAre("9"));
  EXPECT_THAT(cells(rows, "upper"), ElementsAre("12"));
  EXPECT_THAT(cells(rows, "outcome"), ElementsAre("11.25"));
}

TEST_F(CompactionTest, LongTextsAreKeptWhole) {
  Layout wide = late_layout();
  wide.columns.clear();
  std::vector<std::string_view> texts;
  const std::string text(1U << 20, 'x');
  for (int i = 0; i < 5; ++i) {
    wide.columns.push_back({fmt::format("t{}", i), ColumnType::kText});
    texts.push_back(text);
  }
  const double answer[] = {0.5, 0.5};
  ASSERT_OK(log->writer(0).add({.layout = log->declare(wide),
                                .id = "b",
                                .event_time = clock.now(),
                                .arrival_time = clock.now(),
                                .texts = texts,
                                .answer = answer,
                                .label = 1}));
  ASSERT_OK(log->writer(0).flush());
  ASSERT_OK_AND_ASSIGN(const CompactedPart made, compact_all());
  EXPECT_EQ(cells(read(made.schema), "t4")[0].size(), text.size());
}

TEST_F(CompactionTest, WhatCannotBeOnePartIsRefused) {
  ASSERT_OK(predict("a"));
  Layout next = late_layout();
  next.columns[0].type = ColumnType::kText;
  const std::string_view texts[] = {"far", "ORD"};
  const double numbers[] = {1.0};
  const double answer[] = {0.5, 0.5};
  ASSERT_OK(log->writer(0).add({.layout = log->declare(next),
                                .id = "b",
                                .event_time = clock.now(),
                                .arrival_time = clock.now(),
                                .numbers = numbers,
                                .texts = texts,
                                .answer = answer,
                                .label = 1}));
  ASSERT_OK(log->writer(0).flush());
  EXPECT_THAT(compact_all(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("distance")));
  EXPECT_FALSE(std::filesystem::exists(part));
  EXPECT_THAT(compact(*log, *engine, {.endpoint = "x", .segments = {77}, .output = part}),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace cromford::feedback
