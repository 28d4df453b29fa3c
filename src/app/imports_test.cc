#include <gmock/gmock.h>

#include "app/factory_fixture.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class ImportsTest : public FactoryFixture {
 protected:
  flow::Job import(const std::string& csv, ImportRequest request = {}) {
    return runner().run(submit_import("trips", csv, std::move(request)));
  }
  base::Json newest() { return factory().dataset_version("default", "trips", "latest").value(); }
  std::vector<int64_t> values(const std::string& version) {
    const base::Json answer =
        factory().dataset_rows("default", "trips", version, {.limit = 100}).value();
    std::vector<int64_t> all;
    for (const base::Json& row : answer.at("rows")) {
      all.push_back(row.at(0).get<int64_t>());
    }
    std::sort(all.begin(), all.end());
    return all;
  }
};

TEST_F(ImportsTest, TwoAppendsAtOnceBothEndUpInTheDataset) {
  ASSERT_EQ(import("a\n1\n").state, flow::JobState::kSucceeded);
  const std::string first = submit_import("trips", "a\n2\n", {.append = true});
  const std::string second = submit_import("trips", "a\n3\n", {.append = true});
  const HandRunner::Attempt one = runner().begin(first);
  const HandRunner::Attempt two = runner().begin(second);
  EXPECT_EQ(runner().finish(one).state, flow::JobState::kSucceeded);
  EXPECT_EQ(runner().finish(two).state, flow::JobState::kSucceeded);
  EXPECT_EQ(runner().reruns, 1);
  EXPECT_EQ(newest()["version"], 3);
  EXPECT_EQ(values("3"), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(newest()["parents"], base::Json({"trips@2"}));
}

TEST_F(ImportsTest, TwoFirstAppendsAtOnceBothEndUpInTheDataset) {
  const std::string first = submit_import("trips", "a\n2\n", {.append = true});
  const std::string second = submit_import("trips", "a\n3\n", {.append = true});
  const HandRunner::Attempt one = runner().begin(first);
  const HandRunner::Attempt two = runner().begin(second);
  EXPECT_EQ(runner().finish(one).state, flow::JobState::kSucceeded);
  EXPECT_EQ(runner().finish(two).state, flow::JobState::kSucceeded);
  EXPECT_EQ(values("latest"), (std::vector<int64_t>{2, 3}));
}

TEST_F(ImportsTest, AKeyStaysUniqueAcrossAppendsAtOnce) {
  ASSERT_EQ(import("a\n1\n", {.key = {"a"}}).state, flow::JobState::kSucceeded);
  const ImportRequest append{.key = {"a"}, .append = true};
  const HandRunner::Attempt one = runner().begin(submit_import("trips", "a\n2\n", append));
  const HandRunner::Attempt two = runner().begin(submit_import("trips", "a\n2\n", append));
  EXPECT_EQ(runner().finish(one).state, flow::JobState::kSucceeded);
  const flow::Job refused = runner().finish(two);
  EXPECT_EQ(refused.state, flow::JobState::kFailed);
  EXPECT_THAT(std::string(refused.error.message()), HasSubstr("a"));
  EXPECT_EQ(values("latest"), (std::vector<int64_t>{1, 2}));
}

TEST_F(ImportsTest, AnAppendBesideAReplacementIsCheckedAgainstTheReplacement) {
  ASSERT_EQ(import("a\n1\n").state, flow::JobState::kSucceeded);
  const HandRunner::Attempt append =
      runner().begin(submit_import("trips", "a\n2\n", {.append = true}));
  const HandRunner::Attempt replace = runner().begin(submit_import("trips", "a,b\nx,y\n"));
  EXPECT_EQ(runner().finish(replace).state, flow::JobState::kSucceeded);
  EXPECT_EQ(runner().finish(append).state, flow::JobState::kSucceeded);
  EXPECT_EQ(runner().reruns, 1);
  // The number has become a text, as the column of the rows that were there is.
  EXPECT_EQ(newest()["parents"], base::Json({"trips@2"}));
  ASSERT_OK_AND_ASSIGN(const base::Json answer,
                       factory().dataset_rows("default", "trips", "latest", {.limit = 10}));
  ASSERT_EQ(answer.at("rows").size(), 2U);
  EXPECT_EQ(answer.at("rows")[1][0], "2");
}

TEST_F(ImportsTest, AMissingPartIsNotPassedOver) {
  const HandRunner::Attempt attempt = runner().begin(submit_import("trips", "a\n1\n"));
  ASSERT_OK(attempt.result);
  ASSERT_OK_AND_ASSIGN(const base::Json manifest, base::parse_json(*attempt.result));
  const auto part = manifest.at("parts").at(0).value("object", std::string());
  ASSERT_OK(base::system_files().remove(attempt.work_dir / part));
  EXPECT_THAT(runner().finish(attempt).error,
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(part)));
  EXPECT_THAT(factory().dataset("default", "trips"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ImportsTest, WhatWasTakenOverBeforeACrashIsNotMissing) {
  const std::string id = submit_import("trips", "a\n1\n");
  const HandRunner::Attempt attempt = runner().begin(id);
  // The disk fails at the commit's own object, the manifest, after the parts were moved.
  int64_t n = 1;
  for (;; ++n) {
    files_.fail(testing::FaultyFileSystem::Operation::kRename, n);
    const flow::Job job = runner().finish(attempt);
    files_.clear();
    if (job.state == flow::JobState::kSucceeded) {
      break;
    }
    EXPECT_THAT(factory().dataset("default", "trips"), StatusIs(absl::StatusCode::kNotFound));
  }
  EXPECT_GT(n, 1);
  EXPECT_EQ(values("1"), (std::vector<int64_t>{1}));
}

TEST_F(ImportsTest, AJobThatIsFinishedTwiceMakesOneVersion) {
  const std::string id = submit_import("trips", "a\n1\n");
  ASSERT_EQ(runner().finish(runner().begin(id)).state, flow::JobState::kSucceeded);
  restart();
  EXPECT_EQ(runner().finish(runner().begin(id)).state, flow::JobState::kSucceeded);
  EXPECT_EQ(newest()["version"], 1);
}

}  // namespace
}  // namespace cromford::app
