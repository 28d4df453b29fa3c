// A log of format version 1 keeps loading, and today's program still writes the same bytes.
// CROMFORD_WRITE_GOLDEN=1 writes the files anew: only ever for a new version of the format.

#include <cstdlib>

#include "feedback/log_fixture_test.h"

namespace cromford::feedback {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using namespace std::chrono_literals;

const std::filesystem::path kGolden =
    std::filesystem::path(CROMFORD_SOURCE_DIR) / "src/feedback/testdata/log_v1";

class GoldenTest : public LogFixture {
 protected:
  // Predictions of a classification with two versions and of a regression; outcomes joined,
  // waiting, repeated and corrected.
  void write() {
    open();
    for (int i = 0; i < 5; ++i) {
      ASSERT_OK(predict(fmt::format("order-{}", i)));
      clock.advance(1min);
    }
    const double price[] = {10.5, 9.0, 12.0};
    ASSERT_OK(log->writer(0).add({.layout = log->declare({.endpoint = "default/price",
                                                          .model = "price",
                                                          .model_version = 1,
                                                          .variant = "champion",
                                                          .classes = {},
                                                          .columns = {}}),
                                  .id = "p",
                                  .event_time = clock.now(),
                                  .arrival_time = clock.now(),
                                  .answer = price}));
    ASSERT_OK(log->writer(0).flush());
    for (const char* id : {"order-1", "order-2", "order-2", "order-77"}) {
      ASSERT_OK(outcome(id, "true", clock.now() - 30s));
    }
    ASSERT_OK(outcome("order-1", "false"));
    const OutcomeRecord told[] = {{"p", {.number = 11.25}, std::nullopt}};
    ASSERT_OK(log->add_outcomes("default/price", {}, told));
    log.reset();
  }

  void check() {
    EXPECT_THAT(log->recovery().faults, SizeIs(0));
    const EndpointStatistics late = statistics();
    EXPECT_EQ(late.predictions, 5U);
    EXPECT_EQ(late.joined, 2U);
    EXPECT_EQ(late.waiting, 1U);
    EXPECT_EQ(late.duplicates, 1U);
    EXPECT_EQ(late.corrections, 1U);
    ASSERT_OK_AND_ASSIGN(const FoundPrediction found, log->find(kLate, "order-1"));
    EXPECT_EQ(found.prediction.layout, late_layout());
    EXPECT_THAT(found.prediction.answer, ElementsAre(0.69, 0.31));
    ASSERT_THAT(found.outcomes, SizeIs(2));
    EXPECT_EQ(found.outcomes[0].text, "false");
    ASSERT_OK_AND_ASSIGN(const FoundPrediction price, log->find("default/price", "p"));
    EXPECT_EQ(price.outcomes[0].number, 11.25);
  }
};

TEST_F(GoldenTest, VersionOneIsReadWithAndWithoutWhatCanBeMadeAgain) {
  for (const bool whole : {true, false}) {
    log.reset();
    std::filesystem::remove_all(options.directory);
    std::filesystem::copy(kGolden, options.directory);
    for (const auto& file : std::filesystem::directory_iterator(kGolden)) {
      if (!whole && file.path().extension() != ".segment") {
        std::filesystem::remove(options.directory / file.path().filename());
      }
    }
    open();
    check();
  }
}

TEST_F(GoldenTest, TheSameBytesAreWritten) {
  write();
  if (std::getenv("CROMFORD_WRITE_GOLDEN") != nullptr) {
    std::filesystem::remove_all(kGolden);
    std::filesystem::copy(options.directory, kGolden);
  }
  size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(kGolden)) {
    const auto name = file.path().filename();
    EXPECT_EQ(*files.read(options.directory / name, 1U << 20), *files.read(file.path(), 1U << 20))
        << name;
    ++count;
  }
  EXPECT_EQ(count, 5U);
  open();
  check();
}

}  // namespace
}  // namespace cromford::feedback
