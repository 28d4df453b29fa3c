#include "govern/audit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "govern/commitment.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::govern {
namespace {

class AuditTest : public ::testing::Test {
 protected:
  AuditTest() : ids_(clock_, entropy_), auditor_(clock_, ids_, entropy_) {}

  static AuditEvent event() {
    return {.project = "default",
            .action = "endpoint.deployed",
            .object = "endpoint/late",
            .actor = std::string(kOwner),
            .request_id = "r-1",
            .evidence = R"({"package":"abc"})"};
  }

  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  base::IdSource ids_;
  Auditor auditor_;
};

TEST_F(AuditTest, AnEntryTellsWhoWhatWhenAndWhichDocument) {
  ASSERT_OK_AND_ASSIGN(
      const std::vector<store::Write> writes,
      auditor_.with_entry({store::Write::put({"default", "endpoint", "late"}, R"({"a":1})")},
                          event()));
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].key.kind, "endpoint");
  EXPECT_EQ(writes[1].key.kind, kPendingKind);
  ASSERT_OK_AND_ASSIGN(base::Json entry, base::parse_json(writes[1].body));
  EXPECT_EQ(entry["id"], writes[1].key.name);
  entry.erase("id");
  EXPECT_EQ(
      entry,
      base::Json({{"v", 1},
                  {"at", "2026-01-01T00:00:00.000000Z"},
                  {"actor", "owner"},
                  {"action", "endpoint.deployed"},
                  {"object", "endpoint/late"},
                  {"in_project", "default"},
                  {"request_id", "r-1"},
                  {"evidence", {{"package", "abc"}}},
                  {"documents", {{"endpoint/late", base::content_hash(R"({"a":1})").text()}}}}));
}

TEST_F(AuditTest, WhatIsPersonalStandsOutsideBehindACommitment) {
  AuditEvent with_name = event();
  with_name.personal = R"({"name":"Ada"})";
  ASSERT_OK_AND_ASSIGN(const std::vector<store::Write> writes, auditor_.with_entry({}, with_name));
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].key.kind, kPersonalKind);
  EXPECT_EQ(writes[0].key.name, writes[1].key.name);
  EXPECT_EQ(writes[1].body.find("Ada"), std::string::npos);
  ASSERT_OK_AND_ASSIGN(const base::Json outside, base::parse_json(writes[0].body));
  ASSERT_OK_AND_ASSIGN(const base::Json entry, base::parse_json(writes[1].body));
  const std::string digest = entry["personal"];
  EXPECT_TRUE(
      opens(digest, outside["salt"].get<std::string>(), outside["text"].get<std::string>()));
  EXPECT_FALSE(opens(digest, outside["salt"].get<std::string>(), R"({"name":"Eve"})"));
  EXPECT_FALSE(opens(digest, "00", outside["text"].get<std::string>()));
}

TEST_F(AuditTest, ManyDocumentsAreNamedUpToALimitAndHashedBeyond) {
  std::vector<store::Write> changes;
  for (int i = 0; i < 1000; ++i) {
    changes.push_back(
        store::Write::remove({"default", "dataset_version", "a@" + std::to_string(i)}));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<store::Write> writes,
                       auditor_.with_entry(changes, event()));
  ASSERT_OK_AND_ASSIGN(const base::Json entry, base::parse_json(writes.back().body));
  EXPECT_EQ(entry["documents"].size(), 33U);
  EXPECT_TRUE(entry["documents"]["dataset_version/a@0"].is_null());
  EXPECT_TRUE(entry["documents"]["and 968 others"].is_string());
}

TEST_F(AuditTest, WhatIsNoJsonOrTooLongIsRefused) {
  AuditEvent wrong = event();
  wrong.evidence = "[1]";
  EXPECT_EQ(auditor_.with_entry({}, wrong).status().code(), absl::StatusCode::kInvalidArgument);
  AuditEvent longest = event();
  longest.reason = std::string(kEntryBytesMax, 'x');
  EXPECT_EQ(auditor_.with_entry({}, longest).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AuditTest, AChangeWithoutItsEntryIsRefused) {
  const testing::TempDir folder;
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<store::Metadata> inner,
                       store::open_sqlite(folder / "m.db", clock_));
  const std::unique_ptr<store::Metadata> metadata = require_entries(std::move(inner), {"endpoint"});
  const store::Write change = store::Write::put({"default", "endpoint", "late"}, "{}");
  EXPECT_EQ(metadata->commit({change}).status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(absl::IsNotFound(metadata->get(change.key).status()));
  ASSERT_OK_AND_ASSIGN(const std::vector<store::Write> writes,
                       auditor_.with_entry({change}, event()));
  EXPECT_OK(metadata->commit(writes).status());
  EXPECT_OK(metadata->commit({store::Write::put({"default", "job", "x"}, "{}")}).status());
}

}  // namespace
}  // namespace cromford::govern
