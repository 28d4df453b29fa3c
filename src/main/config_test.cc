#include "main/config.h"

#include <gtest/gtest.h>

#include "base/file_system.h"
#include "base/status.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::main_program {
namespace {

using ::cromford::testing::StatusIs;
using ::cromford::testing::TempDir;
using ::testing::HasSubstr;

TEST(ConfigTest, AnEmptyFileGivesTheDefaults) {
  ASSERT_OK_AND_ASSIGN(const Config config, parse_config("", "."));
  EXPECT_EQ(config.listen, "127.0.0.1:7040");
  EXPECT_FALSE(config.allow_private_urls);
  EXPECT_EQ(config.log.durability, feedback::Durability::kKernel);
  EXPECT_EQ(config.log.full_disk, feedback::FullDisk::kAnswer);
  EXPECT_EQ(config.log.retention.age.count(), 0);
  EXPECT_EQ(config.log.retention.bytes, 0U);
  EXPECT_OK(check_exposure(config));
}

TEST(ConfigTest, EveryKeyIsRead) {
  TempDir folder;
  ASSERT_OK(base::write_atomically(base::system_files(), folder.path() / "token",
                                   "0123456789abcdef0123\n"));
  ASSERT_OK_AND_ASSIGN(const Config config, parse_config(R"(
listen: 0.0.0.0:7040
token_file: token
host_names: [factory.example.org]
http_threads: 3
jobs: {at_once: 4, memory: 2GiB, query_memory: 256MiB}
log: {durability: fsync, full_disk: refuse, age_max: 90d, size_max: 100GiB}
upload_max: 10GiB
allow_private_urls: true
smtp: {url: smtps://mail.example.org, from: factory@example.org, user: factory, password_file: token}
)",
                                                         folder.path()));
  EXPECT_EQ(config.token, "0123456789abcdef0123");
  EXPECT_EQ(config.smtp.url, "smtps://mail.example.org");
  EXPECT_EQ(config.smtp.password, "0123456789abcdef0123");
  EXPECT_EQ(config.limits.jobs_at_once, 4);
  EXPECT_EQ(config.limits.job_memory_bytes, uint64_t{2} << 30);
  EXPECT_EQ(config.limits.upload_bytes, uint64_t{10} << 30);
  EXPECT_EQ(config.log.durability, feedback::Durability::kDisk);
  EXPECT_EQ(config.log.full_disk, feedback::FullDisk::kRefuse);
  EXPECT_EQ(config.log.retention.age, std::chrono::hours(90 * 24));
  EXPECT_EQ(config.log.retention.bytes, uint64_t{100} << 30);
  EXPECT_OK(check_exposure(config));
}

TEST(ConfigTest, MistakesNameLineAndKey) {
  EXPECT_THAT(parse_config("listen: 127.0.0.1:1\nlisten_on: x\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 2")));
  EXPECT_THAT(parse_config("smtp: {url: mail.example.org}\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("smtp.url")));
  EXPECT_THAT(parse_config("smtp: {url: smtp://mail.example.org}\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("url and from")));
  EXPECT_THAT(parse_config("smtp: {url: smtp://m, from: nobody}\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("smtp.from")));
  EXPECT_THAT(parse_config("jobs: {memory: lots}\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("jobs.memory")));
  EXPECT_THAT(parse_config("jobs: {at_once: 0}\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("jobs.at_once")));
  EXPECT_THAT(parse_config("a: [", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not YAML")));
  EXPECT_THAT(parse_config("- 1\n", "."),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("map")));
}

TEST(ConfigTest, ValuesThatCannotBeMeantAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"http_threads: -5", "line 1, http_threads: expected a number from 1 to 64"},
      {"http_threads: 100000", "http_threads"},
      {"upload_max: 0", "upload_max: expected a size from 1.0 MiB"},
      {"jobs: {memory: 1B}", "jobs.memory: expected a size from 64.0 MiB"},
      {"jobs: {query_memory: 1B}", "jobs.query_memory: expected a size from 16.0 MiB"},
      {"jobs: {at_once: 1, at_once: 2}", "the key 'at_once' stands twice"},
      {"listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", "line 2: the key 'listen' stands twice"},
      {"log: fsync", "line 1, log: expected a map of durability"},
      {"log: {durability: disk}", "line 1, log.durability: expected kernel or fsync"},
      {"log: {full_disk: panic}", "log.full_disk: expected answer or refuse"},
      {"log: {age_max: 90}", "log.age_max: expected a duration such as 90d"},
      {"log: {age_max: 5m}", "log.age_max: expected a duration from 1h"},
      {"log: {size_max: 1MiB}", "log.size_max: expected a size from 256.0 MiB"},
      {"log: {durabilty: fsync}", "there is no key 'durabilty' (did you mean 'durability'?)"},
      {"listen: bogus", "line 1, listen: 'bogus' is not an address"},
      {"{a: b}: 1", "line 1: a key must be a word"},
      {"token_file: /etc/passwd", "/etc/passwd holds more than one word"},
  };
  for (const auto& [yaml, why] : cases) {
    EXPECT_THAT(parse_config(yaml, "."),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  }
}

TEST(ConfigTest, WhatIsNoAddressIsNotCalledAnOpenOne) {
  EXPECT_THAT(check_exposure({.listen = "bogus"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'bogus' is not an address")));
}

TEST(ConfigTest, AnOpenAddressNeedsAToken) {
  Config config{.listen = "0.0.0.0:7040"};
  EXPECT_THAT(check_exposure(config),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no token")));
}

}  // namespace
}  // namespace cromford::main_program
