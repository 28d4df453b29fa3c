#include "govern/audit_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "govern/audit.h"
#include "govern/export.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::govern {
namespace {

using ::testing::HasSubstr;

// Whose n-th commit from now fails, before or after it took effect.
class StoppedMetadata final : public store::Metadata {
 public:
  enum class When { kBefore, kAfter };
  using store::Metadata::commit;
  explicit StoppedMetadata(std::unique_ptr<store::Metadata> inner) : inner_(std::move(inner)) {}

  void stop_at(int commit, When when) {
    left_ = commit;
    when_ = when;
  }
  absl::StatusOr<store::Document> get(const store::DocumentKey& key) const override {
    return inner_->get(key);
  }
  absl::StatusOr<int64_t> commit(std::span<const store::Write> writes) override {
    if (left_ > 0 && --left_ == 0) {
      if (when_ == When::kAfter) {
        EXPECT_OK(inner_->commit(writes).status());
      }
      return base::unavailable("stopped here");
    }
    return inner_->commit(writes);
  }
  absl::StatusOr<store::DocumentPage> list(const store::ListQuery& query) const override {
    return inner_->list(query);
  }
  absl::Status visit_all(
      const std::function<absl::Status(const store::Document&)>& visit) const override {
    return inner_->visit_all(visit);
  }

 private:
  std::unique_ptr<store::Metadata> inner_;
  int left_ = 0;
  When when_ = When::kBefore;
};

class AuditLogTest : public ::testing::Test {
 protected:
  AuditLogTest() : ids_(clock_, entropy_), auditor_(clock_, ids_, entropy_) {}

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<store::Metadata> inner,
                         store::open_sqlite(directory_ / "m.db", clock_));
    metadata_ = std::make_unique<StoppedMetadata>(std::move(inner));
    open();
  }

  void open() {
    log_.reset();
    ASSERT_OK_AND_ASSIGN(log_, AuditLog::open({.metadata = *metadata_,
                                               .files = base::system_files(),
                                               .entropy = entropy_,
                                               .key_file = directory_ / "keys" / "audit.key",
                                               .watches = false}));
  }

  // A change of the document x with its entry.
  absl::Status change(const std::string& name, const std::string& personal = "{}") {
    TRY(const std::vector<store::Write> writes,
        auditor_.with_entry({store::Write::put({"default", "thing", name}, "{}")},
                            {.project = "default",
                             .action = "thing.changed",
                             .object = "thing/" + name,
                             .actor = std::string(kUser),
                             .personal = personal}));
    return metadata_->commit(writes).status();
  }
  void change_many(int count) {
    std::vector<store::Write> all;
    for (int i = 0; i < count; ++i) {
      ASSERT_OK_AND_ASSIGN(const std::vector<store::Write> writes,
                           auditor_.with_entry({}, {.action = "thing.changed",
                                                    .object = fmt::format("thing/{}", i),
                                                    .actor = std::string(kServer)}));
      all.insert(all.end(), writes.begin(), writes.end());
    }
    ASSERT_OK(metadata_->commit(all).status());
  }

  std::vector<std::string> objects() {
    std::vector<std::string> objects;
    const auto status = for_each_entry(*metadata_, log_->tree()->checkpoint.size,
                                       [&](uint64_t, const std::string& entry) -> absl::Status {
                                         objects.push_back(base::parse_json(entry)->at("object"));
                                         return absl::OkStatus();
                                       });
    EXPECT_OK(status);
    return objects;
  }

  std::string exported() {
    const auto file = directory_ / "export";
    EXPECT_OK(log_->write_export(file));
    return base::system_files().read(file).value();
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  base::IdSource ids_;
  Auditor auditor_;
  std::unique_ptr<StoppedMetadata> metadata_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, AnEmptyLogIsSignedFromTheStart) {
  ASSERT_OK_AND_ASSIGN(const SignedTree tree, log_->tree());
  EXPECT_EQ(tree.checkpoint.size, 0U);
  EXPECT_EQ(tree.checkpoint.root, empty_root());
  EXPECT_OK(open_checkpoint(tree.note, log_->verifier()).status());
  struct stat about = {};
  ASSERT_EQ(stat((directory_ / "keys" / "audit.key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
}

TEST_F(AuditLogTest, EntriesAreInTheOrderOfTheirCommitsAcrossRestarts) {
  EXPECT_OK(change("a"));
  EXPECT_OK(change("b"));
  EXPECT_EQ(objects(), (std::vector<std::string>{"thing/a", "thing/b"}));
  EXPECT_OK(change("c"));
  open();
  EXPECT_OK(change("d"));
  EXPECT_EQ(objects(), (std::vector<std::string>{"thing/a", "thing/b", "thing/c", "thing/d"}));
  EXPECT_OK(log_->check());
}

TEST_F(AuditLogTest, EveryTreeExtendsTheOnesBeforeItAcrossTiles) {
  std::vector<SignedTree> trees;
  for (const int count : {1, 254, 1, 1, 255, 700, 300}) {
    change_many(count);
    ASSERT_OK_AND_ASSIGN(const SignedTree tree, log_->tree());
    for (const SignedTree& earlier : trees) {
      ASSERT_OK_AND_ASSIGN(const Proof proof,
                           log_->prove_consistency(earlier.checkpoint.size, tree.checkpoint.size));
      EXPECT_TRUE(extends(earlier.checkpoint.size, earlier.checkpoint.root, tree.checkpoint.size,
                          tree.checkpoint.root, proof));
    }
    trees.push_back(tree);
    open();
    EXPECT_OK(log_->state());
    EXPECT_EQ(log_->tree()->note, tree.note);
  }
  const Checkpoint& last = trees.back().checkpoint;
  EXPECT_EQ(last.size, 1512U);
  for (const uint64_t index : {uint64_t{0}, uint64_t{255}, uint64_t{256}, uint64_t{1511}}) {
    ASSERT_OK_AND_ASSIGN(const Hash leaf, log_->leaf(index));
    ASSERT_OK_AND_ASSIGN(const Proof proof, log_->prove_inclusion(index, last.size));
    EXPECT_TRUE(includes(leaf, index, last.size, proof, last.root)) << index;
  }
  EXPECT_OK(log_->check());
  EXPECT_FALSE(log_->prove_inclusion(1512, 1512).ok());
  EXPECT_FALSE(log_->prove_consistency(1, 1513).ok());
}

// As if the process had been killed before or after each commit in turn.
TEST_F(AuditLogTest, AStopAtAnyCommitLeavesNoChangeWithoutEntryAndNoEntryWithoutChange) {
  std::set<std::string> done;
  int number = 0;
  for (const auto when : {StoppedMetadata::When::kBefore, StoppedMetadata::When::kAfter}) {
    for (int stop = 1; stop <= 4; ++stop) {
      metadata_->stop_at(stop, when);
      for (int i = 0; i < 2; ++i) {
        (void)change(std::to_string(++number));
        (void)log_->sequence();
      }
      metadata_->stop_at(0, when);
      if (stop % 2 == 0) {
        open();
      }
      EXPECT_OK(log_->sequence());
      ASSERT_OK(log_->state());
    }
  }
  const std::vector<std::string> told = objects();
  for (int i = 1; i <= number; ++i) {
    const bool changed = metadata_->get({"default", "thing", std::to_string(i)}).ok();
    EXPECT_EQ(std::count(told.begin(), told.end(), fmt::format("thing/{}", i)), changed ? 1 : 0);
  }
  EXPECT_OK(log_->check());
  EXPECT_OK(verify_export(exported(), {}).status());
}

TEST_F(AuditLogTest, AnEntryThatWasAlteredIsToldAndNothingIsMended) {
  change_many(600);
  ASSERT_OK(log_->tree().status());
  const store::DocumentKey key{"", std::string(kEntryKind), entry_name(17)};
  ASSERT_OK_AND_ASSIGN(const store::Document entry, metadata_->get(key));
  ASSERT_OK(metadata_->commit({store::Write::put(key, R"({"v":1})")}).status());
  EXPECT_THAT(std::string(base::message(log_->check())), HasSubstr("entry 17 was altered"));
  EXPECT_TRUE(absl::IsDataLoss(log_->state()));
  EXPECT_TRUE(absl::IsDataLoss(log_->tree().status()));
  ASSERT_OK(metadata_->commit({store::Write::put(key, entry.body)}).status());
  open();
  EXPECT_OK(log_->check());
  ASSERT_OK(metadata_->commit({store::Write::remove(key)}).status());
  EXPECT_THAT(std::string(base::message(log_->check())), HasSubstr("entry 17 is missing"));
}

TEST_F(AuditLogTest, DamageOfTheEdgeIsToldAtTheStartAndNewEntriesWait) {
  change_many(300);
  ASSERT_OK(log_->tree().status());
  ASSERT_OK(
      metadata_->commit({store::Write::remove({"", "audit_entry", entry_name(299)})}).status());
  open();
  EXPECT_THAT(std::string(base::message(log_->state())), HasSubstr("entry 299 is missing"));
  EXPECT_OK(change("a"));
  EXPECT_FALSE(log_->sequence().ok());
  ASSERT_OK_AND_ASSIGN(const store::DocumentPage waiting,
                       metadata_->list({.kind = std::string(kPendingKind)}));
  EXPECT_EQ(waiting.documents.size(), 1U);
}

TEST_F(AuditLogTest, ALostKeyALostCheckpointAndAForeignKeyAreTold) {
  change_many(3);
  ASSERT_OK(log_->tree().status());
  const auto file = directory_ / "keys" / "audit.key";
  const std::string key = base::system_files().read(file).value();
  ASSERT_OK(base::system_files().remove(file));
  open();
  EXPECT_THAT(std::string(base::message(log_->state())), HasSubstr("is gone"));
  EXPECT_FALSE(base::system_files().exists(file));
  ASSERT_OK(open_key(base::system_files(), file, entropy_, Absent::kMake).status());
  open();
  EXPECT_THAT(std::string(base::message(log_->state())), HasSubstr("no valid signature"));
  ASSERT_OK(base::write_atomically(base::system_files(), file, key));
  ASSERT_OK(metadata_->commit({store::Write::remove({"", "audit_tree", "tree"})}).status());
  open();
  EXPECT_THAT(std::string(base::message(log_->state())), HasSubstr("checkpoint is gone"));
}

TEST_F(AuditLogTest, WhatIsErasedLeavesTheProofWhole) {
  EXPECT_OK(change("a", R"({"name":"Ada"})"));
  EXPECT_OK(change("b", R"({"name":"Eve"})"));
  ASSERT_OK_AND_ASSIGN(const ExportReport whole, verify_export(exported(), {}));
  EXPECT_EQ(whole.personal_count, 2U);
  ASSERT_OK_AND_ASSIGN(const store::DocumentPage page,
                       metadata_->list({.kind = std::string(kPersonalKind)}));
  ASSERT_OK(metadata_->commit({store::Write::remove(page.documents[0].key)}).status());
  const std::string bytes = exported();
  EXPECT_EQ(bytes.find("Ada"), std::string::npos);
  ASSERT_OK_AND_ASSIGN(const ExportReport report, verify_export(bytes, {}));
  EXPECT_EQ(report.personal_count, 1U);
  EXPECT_EQ(report.erased_count, 1U);
}

}  // namespace
}  // namespace cromford::govern
