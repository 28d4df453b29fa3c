#include "govern/export.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "govern/audit.h"
#include "govern/base64.h"
#include "testing/faulty_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::govern {
namespace {

using ::testing::HasSubstr;

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() : ids_(clock_, entropy_), auditor_(clock_, ids_, entropy_) {}

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(metadata_, store::open_sqlite(directory_ / "m.db", clock_));
    ASSERT_OK_AND_ASSIGN(log_, AuditLog::open({.metadata = *metadata_,
                                               .files = files_,
                                               .entropy = entropy_,
                                               .key_file = directory_ / "audit.key",
                                               .watches = false}));
    for (int i = 0; i < 5; ++i) {
      add(i, i == 2 ? R"({"name":"Ada"})" : "{}");
      clock_.advance(std::chrono::seconds(1));
    }
  }

  void add(int number, const std::string& personal) {
    ASSERT_OK_AND_ASSIGN(const std::vector<store::Write> writes,
                         auditor_.with_entry({}, {.project = "default",
                                                  .action = "endpoint.deployed",
                                                  .object = fmt::format("endpoint/e{}", number),
                                                  .actor = std::string(kOwner),
                                                  .reason = "first line\nsecond \"line\" \xC3\xA4",
                                                  .personal = personal}));
    ASSERT_OK(metadata_->commit(writes).status());
  }

  std::string exported() {
    const auto file = directory_ / "export";
    EXPECT_OK(log_->write_export(file));
    return base::system_files().read(file).value();
  }

  static std::string refusal(std::string_view bytes, const VerifyOptions& options = {}) {
    const absl::Status status = verify_export(bytes, options).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(base::message(status));
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  testing::FaultyFileSystem files_;
  base::IdSource ids_;
  Auditor auditor_;
  std::unique_ptr<store::Metadata> metadata_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(ExportTest, TellsWhatItProves) {
  ASSERT_OK_AND_ASSIGN(const ExportReport report, verify_export(exported(), {}));
  EXPECT_EQ(report.checkpoint.size, 5U);
  EXPECT_EQ(report.checkpoint.root, log_->tree()->checkpoint.root);
  EXPECT_EQ(report.verifier, log_->verifier());
  EXPECT_EQ(report.personal_count, 1U);
  EXPECT_EQ(report.erased_count, 0U);
  EXPECT_EQ(report.first_at, "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(report.last_at, "2026-01-01T00:00:04.000000Z");
}

// Every file of a released format keeps being read.
TEST_F(ExportTest, TheGoldenFileHolds) {
  ASSERT_OK_AND_ASSIGN(
      const std::string golden,
      base::system_files().read(CROMFORD_SOURCE_DIR "/src/govern/testdata/audit_export_v1.txt"));
  EXPECT_EQ(exported(), golden);
  EXPECT_OK(verify_export(golden, {}).status());
}

// No single byte can be another without its being found.
TEST_F(ExportTest, EveryByteCounts) {
  const std::string bytes = exported();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string altered = bytes;
    altered[i] = static_cast<char>(altered[i] ^ 0x01);
    EXPECT_FALSE(verify_export(altered, {.key = log_->verifier().text()}).ok()) << i;
    EXPECT_FALSE(verify_export(std::string_view(bytes).substr(0, i), {}).ok()) << i;
  }
}

TEST_F(ExportTest, ForgeriesAreNamed) {
  const std::string bytes = exported();
  std::vector<std::string_view> lines = base::split(bytes, '\n');
  const auto joined = [](const std::vector<std::string_view>& all) {
    std::string text(all.front());
    for (size_t i = 1; i < all.size(); ++i) {
      text += '\n';
      text += all[i];
    }
    return text;
  };
  std::vector<std::string_view> swapped = lines;
  std::swap(swapped[2], swapped[3]);
  EXPECT_THAT(refusal(joined(swapped)), HasSubstr("where entry 0 should be stands entry 1"));
  std::vector<std::string_view> removed = lines;
  removed.erase(removed.begin() + 3);
  EXPECT_THAT(refusal(joined(removed)), HasSubstr("where entry 1 should be stands entry 2"));
  std::vector<std::string_view> shorter = lines;
  shorter.erase(shorter.begin() + 7);
  EXPECT_THAT(refusal(joined(shorter)), HasSubstr("has 4 entries"));
  // The text of an entry and its hash beside it: only the root tells.
  const std::string_view entry = lines[2].substr(lines[2].find(' ', 2) + 1);
  std::string altered(entry);
  altered.replace(altered.find("owner"), 5, "nobod");
  const std::string line = fmt::format("0 {} {}", to_base64(leaf_hash(altered).view()), altered);
  std::vector<std::string_view> rewritten = lines;
  rewritten[2] = line;
  EXPECT_THAT(refusal(joined(rewritten)), HasSubstr("not those that its checkpoint"));
  EXPECT_THAT(refusal(bytes.substr(0, bytes.find("\n\n") + 1)), HasSubstr("cut off"));
}

TEST_F(ExportTest, AForkAndACutAreFoundByAnOlderCheckpoint) {
  const std::string old = log_->tree()->note;
  const std::string early = exported();
  add(5, "{}");
  const std::string now = log_->tree()->note;
  ASSERT_OK_AND_ASSIGN(const ExportReport report,
                       verify_export(exported(), {.old_checkpoint = old}));
  EXPECT_EQ(report.extends_size, 5U);
  EXPECT_THAT(refusal(early, {.old_checkpoint = now}), HasSubstr("its end was cut off"));
  // The same key signs another history of the same length.
  ASSERT_OK_AND_ASSIGN(const AuditKey key,
                       open_key(files_, directory_ / "audit.key", entropy_, Absent::kRefuse));
  const std::string fork =
      sign_checkpoint({.origin = key.name(), .size = 3, .root = leaf_hash("another")}, key);
  EXPECT_THAT(refusal(early, {.old_checkpoint = fork}), HasSubstr("fork"));
  const AuditKey other(std::array<uint8_t, 32>{1});
  const std::string foreign =
      sign_checkpoint({.origin = other.name(), .size = 3, .root = leaf_hash("another")}, other);
  EXPECT_THAT(refusal(early, {.old_checkpoint = foreign}), HasSubstr("not signed with the key"));
  EXPECT_THAT(refusal(early, {.key = other.verifier().text()}), HasSubstr("signed with the key"));
}

TEST_F(ExportTest, WhatIsNoExportNoCheckpointOrNoKeyIsBadInput) {
  EXPECT_TRUE(absl::IsInvalidArgument(verify_export("", {}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(verify_export("a,b\n1,2\n", {}).status()));
  const std::string bytes = exported();
  EXPECT_TRUE(absl::IsInvalidArgument(verify_export(bytes, {.old_checkpoint = "x"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(verify_export(bytes, {.key = "x+y+z"}).status()));
}

TEST_F(ExportTest, AFullDiskIsToldAndTheLogGoesOn) {
  files_.fill_up_after(100);
  EXPECT_TRUE(absl::IsResourceExhausted(log_->write_export(directory_ / "export")));
  files_.clear();
  EXPECT_OK(verify_export(exported(), {}).status());
}

TEST(CheckpointTest, OneTreeHasOneSpelling) {
  const AuditKey key(std::array<uint8_t, 32>{7});
  const std::string note =
      sign_checkpoint({.origin = key.name(), .size = 7, .root = leaf_hash("x")}, key);
  EXPECT_OK(open_checkpoint(note, key.verifier()).status());
  const auto with = [&note](std::string_view from, std::string_view to) {
    std::string text = note;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& wrong :
       {with("\n7\n", "\n07\n"), with("\n7\n", "\n+7\n"), with("\n7\n", "\n-7\n"),
        with("\n7\n", "\n18446744073709551616\n"), with("=\n\n", "\n\n"), with("\n\n", "\n"),
        note.substr(0, note.size() - 1), note + "x\n", std::string(70'000, 'x')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(parse_checkpoint(wrong).status())) << wrong.substr(0, 200);
  }
  // Extension lines and signatures of others are legal, a text that was not signed is not.
  const std::string cosigned = note + "\xE2\x80\x94 witness.example AAAAAAAA\n";
  EXPECT_OK(open_checkpoint(cosigned, key.verifier()).status());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(open_checkpoint(with("\n7\n", "\n8\n"), key.verifier()).status()));
  ASSERT_OK_AND_ASSIGN(const Verifier read, parse_verifier(key.verifier().text()));
  EXPECT_EQ(read, key.verifier());
}

}  // namespace
}  // namespace cromford::govern
