// A disk that fails: at every write, sync, opening and renaming of a scenario, and a disk that is
// full. What was acknowledged is there afterwards, and nothing else is counted.

#include <set>

#include "feedback/log_fixture_test.h"

namespace cromford::feedback {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing::StatusIs;
using Operation = testing::FaultyFileSystem::Operation;
using namespace std::chrono_literals;

class FaultTest : public LogFixture {
 protected:
  // Predictions and outcomes through several segments; what was acknowledged is remembered.
  void work() {
    for (int i = 0; i < 12; ++i) {
      const std::string id = fmt::format("p{}", i);
      if (predict(id, static_cast<size_t>(i % 2)).ok()) {
        predicted.insert(id);
      }
      if (outcome(id, "true").ok()) {
        told.insert(id);
      }
      clock.advance(1s);
      log->maintain().IgnoreError();
    }
  }

  void check_what_was_acknowledged() {
    for (const std::string& id : predicted) {
      const auto found = log->find(kLate, id);
      ASSERT_OK(found) << id;
      EXPECT_EQ(found->outcomes.size(), told.contains(id) ? 1U : found->outcomes.size());
      EXPECT_LE(found->outcomes.size(), 1U);
    }
    EXPECT_GE(statistics().predictions, predicted.size());
    EXPECT_LE(statistics().predictions, 12U);
    EXPECT_GE(statistics().joined + statistics().waiting, told.size());
    EXPECT_LE(statistics().joined + statistics().waiting, 12U);
  }

  // One operation after the other fails, once or from then on, until none is left to fail.
  void fail_each(Operation operation) {
    for (int n = 1;; ++n) {
      options.directory = directory / fmt::format("log{}-{}", static_cast<int>(operation), n);
      predicted.clear();
      told.clear();
      files.clear();
      open();
      files.clear();
      files.fail(operation, n);
      work();
      const bool struck = files.count(operation) >= n;
      if (struck) {
        // What is readable while the disk fails is also there after it was mended.
        check_what_was_acknowledged();
      }
      files.clear();
      clock.advance(1s);
      const bool refused = predicted.size() < 12 || told.size() < 12;
      EXPECT_OK(predict("after"));
      EXPECT_OK(outcome("after", "true"));
      EXPECT_OK(log->maintain());
      predicted.clear();
      EXPECT_OK(log->find(kLate, "after"));
      open();
      EXPECT_OK(log->find(kLate, "after"));
      for (const std::string& id : told) {
        const auto found = log->find(kLate, id);
        EXPECT_TRUE(!found.ok() || found->outcomes.size() == 1) << id;
      }
      if (!struck) {
        EXPECT_FALSE(refused);
        EXPECT_GT(n, 1);
        return;
      }
      // Every place is visited at first, then every third.
      n += n > 40 ? 2 : 0;
    }
  }

  std::set<std::string> predicted;
  std::set<std::string> told;
};

TEST_F(FaultTest, EveryWriteMayFail) {
  options.segment_records = 3;
  options.writers = 2;
  options.full_disk = FullDisk::kRefuse;
  options.retry_after = 100ms;
  fail_each(Operation::kWrite);
}

TEST_F(FaultTest, EverySyncMayFail) {
  options.segment_records = 3;
  options.writers = 2;
  options.full_disk = FullDisk::kRefuse;
  fail_each(Operation::kSync);
}

TEST_F(FaultTest, EverySyncMayFailWherePredictionsAreSynced) {
  options.segment_records = 3;
  options.writers = 2;
  options.full_disk = FullDisk::kRefuse;
  options.durability = Durability::kDisk;
  fail_each(Operation::kSync);
}

TEST_F(FaultTest, EveryOpeningMayFail) {
  options.segment_records = 3;
  options.writers = 2;
  options.full_disk = FullDisk::kRefuse;
  fail_each(Operation::kOpen);
}

TEST_F(FaultTest, EveryRenameMayFail) {
  options.segment_records = 3;
  options.writers = 2;
  fail_each(Operation::kRename);
}

TEST_F(FaultTest, FullDiskAnswersAndCountsWhereThePolicySaysSo) {
  open();
  ASSERT_OK(predict("a"));
  files.fill_up_after(20);
  EXPECT_OK(predict("b"));
  EXPECT_OK(predict("c"));
  EXPECT_EQ(statistics().predictions, 1U);
  EXPECT_EQ(statistics().predictions_lost, 2U);
  EXPECT_THAT(outcome("a", "true"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("cannot store outcomes")));
  EXPECT_THAT(base::remedy(outcome("a", "true").status()), HasSubstr("send them again"));
  files.clear();
  clock.advance(options.retry_after);
  EXPECT_OK(predict("d"));
  EXPECT_EQ(outcome("a", "true")->joined, 1U);
  EXPECT_OK(log->find(kLate, "d"));
  open();
  EXPECT_EQ(statistics().predictions, 2U);
  EXPECT_EQ(statistics().joined, 1U);
}

TEST_F(FaultTest, FullDiskRefusesWhereThePolicySaysSo) {
  options.full_disk = FullDisk::kRefuse;
  open();
  ASSERT_OK(predict("a"));
  files.fill_up_after(20);
  EXPECT_THAT(predict("b"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(base::remedy(predict("b")), HasSubstr("free space"));
  files.clear();
  // The disk is not asked again at every request.
  EXPECT_THAT(predict("b"), StatusIs(absl::StatusCode::kResourceExhausted));
  clock.advance(options.retry_after);
  EXPECT_OK(predict("b"));
  EXPECT_EQ(statistics().predictions, 2U);
  EXPECT_EQ(statistics().predictions_lost, 0U);
}

TEST_F(FaultTest, FailedSyncIsNotRepeatedOnTheSameFile) {
  open();
  ASSERT_OK(outcome("a", "true"));
  const auto before = names("outcomes");
  ASSERT_THAT(before, SizeIs(1));
  files.fail(Operation::kSync, 1);
  EXPECT_THAT(outcome("b", "true"), StatusIs(absl::StatusCode::kInternal));
  files.clear();
  ASSERT_OK(outcome("c", "true"));
  ASSERT_OK(log->maintain());
  // The first file ends with what was synced; "c" stands in another.
  ASSERT_THAT(names("outcomes"), SizeIs(3));
  EXPECT_EQ(names(".segment")[0].substr(0, 19), before[0].substr(0, 19));
  open();
  EXPECT_EQ(statistics().waiting, 2U);
}

TEST_F(FaultTest, DamageBetweenWholeRecordsIsKeptAsideAndReported) {
  open();
  for (const char* id : {"a", "b", "c"}) {
    ASSERT_OK(predict(id));
  }
  const auto path = options.directory / names("predictions")[0];
  std::string bytes = *files.read(path, 1U << 20);
  bytes[bytes.find("req-1", bytes.find("req-1") + 1)] ^= 1;  // in "b"
  crash();
  ASSERT_OK(base::write_atomically(files, path, bytes));
  open();
  ASSERT_THAT(log->recovery().faults, SizeIs(1));
  const LogFault& fault = log->recovery().faults[0];
  EXPECT_THAT(fault.reason, HasSubstr("between whole ones"));
  EXPECT_EQ(*files.read(fault.kept_as, 1U << 20), bytes);
  EXPECT_OK(log->find(kLate, "a"));
  EXPECT_THAT(log->find(kLate, "b"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(log->find(kLate, "c"));
  open();
  EXPECT_THAT(log->recovery().faults, SizeIs(0));
  EXPECT_EQ(statistics().predictions, 2U);
}

TEST_F(FaultTest, TornTailIsCutAtEveryByteAndNothingElse) {
  open();
  ASSERT_OK(predict("a"));
  ASSERT_OK(predict("b"));
  const auto path = options.directory / names("predictions")[0];
  const std::string whole = *files.read(path, 1U << 20);
  crash();
  const size_t second = whole.rfind("user-7") - 60;
  for (size_t size = 0; size < whole.size(); size += size < second ? 37 : 5) {
    options.directory = directory / fmt::format("torn{}", size);
    std::filesystem::create_directories(options.directory);
    ASSERT_OK(base::write_atomically(files, options.directory / path.filename(),
                                     std::string_view(whole).substr(0, size)));
    open();
    EXPECT_THAT(log->recovery().faults, SizeIs(0)) << size;
    EXPECT_LE(statistics().predictions, 1U) << size;
    EXPECT_EQ(log->find(kLate, "a").ok(), statistics().predictions == 1) << size;
    ASSERT_OK(predict("b"));
    EXPECT_OK(log->find(kLate, "b"));
  }
}

TEST_F(FaultTest, DamagedFooterIsMadeAgain) {
  open();
  ASSERT_OK(predict("a"));
  ASSERT_OK(log->seal());
  const auto path = options.directory / names(".segment")[0];
  log.reset();
  std::string bytes = *files.read(path, 1U << 20);
  bytes.back() ^= 1;
  ASSERT_OK(base::write_atomically(files, path, bytes));
  open();
  ASSERT_THAT(log->recovery().faults, SizeIs(1));
  EXPECT_THAT(log->recovery().faults[0].reason, HasSubstr("footer"));
  EXPECT_OK(log->find(kLate, "a"));
  EXPECT_EQ(statistics().predictions, 1U);
}

TEST_F(FaultTest, FileThatIsNoSegmentIsKeptAside) {
  open();
  log.reset();
  ASSERT_OK(base::write_atomically(files, options.directory / "predictions-0000000077.open",
                                   std::string(100, 'x')));
  open();
  ASSERT_THAT(log->recovery().faults, SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(log->recovery().faults[0].kept_as));
}

TEST_F(FaultTest, DamagedCheckpointIsReportedAndCountedAnew) {
  open();
  ASSERT_OK(predict("a"));
  ASSERT_OK(outcome("a", "true"));
  log.reset();
  const auto path = options.directory / "checkpoint";
  std::string bytes = *files.read(path, 1U << 20);
  bytes[20] ^= 1;
  ASSERT_OK(base::write_atomically(files, path, bytes));
  open();
  EXPECT_THAT(log->recovery().faults, SizeIs(1));
  EXPECT_EQ(statistics().joined, 1U);
  EXPECT_EQ(statistics().predictions, 1U);
}

}  // namespace
}  // namespace cromford::feedback
