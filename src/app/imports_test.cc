#include <gmock/gmock.h>

#include "app/factory_fixture.h"
#include "app/resources.h"
#include "base/text.h"

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

TEST_F(ImportsTest, VersionsThatADeletionLeftBehindStandInNobodysWay) {
  const auto orphan = [&](int64_t version) {
    return store::Write::put(
        {"default", "dataset_version", version_name("trips", version)},
        base::dump_json({{"dataset", "trips"}, {"version", version}, {"row_count", 0}}));
  };
  const auto versions = [&] {
    std::vector<int64_t> all;
    const base::Json list = factory().list_dataset_versions("default", "trips", {}).value();
    for (const base::Json& one : list.at("versions")) {
      all.push_back(one.at("version").get<int64_t>());
    }
    return all;
  };
  ASSERT_OK(metadata().commit({orphan(1), orphan(2), orphan(7)}));
  const flow::Job first = import("a\n1\n");
  ASSERT_EQ(first.state, flow::JobState::kSucceeded) << first.error;
  EXPECT_EQ(newest()["row_count"], 1);
  EXPECT_EQ(versions(), std::vector<int64_t>{1});
  // Or beyond what an earlier program has made since.
  ASSERT_OK(metadata().commit({orphan(2), orphan(3), orphan(9)}));
  ASSERT_EQ(import("a\n1\n2\n").state, flow::JobState::kSucceeded);
  EXPECT_EQ(newest()["row_count"], 2);
  EXPECT_EQ(versions(), (std::vector<int64_t>{2, 1}));
}

TEST_F(ImportsTest, TheSignatureOfAnAddressIsForgottenWithTheEndOfTheJob) {
  std::string seen;
  ASSERT_OK_AND_ASSIGN(
      const base::Json job,
      factory().start_import({.request_id = "req-7"}, "default", "trips",
                             {.url = "https://example.org/a.csv?X-Amz-Signature=SECRET"}));
  const std::string id = job.at("id");
  restart();  // As with a server that died: who takes the job up still needs it.
  EXPECT_THAT(base::dump_json(job), ::testing::Not(HasSubstr("SECRET")));
  runner().workers["import"] = [&](std::string_view input,
                                   flow::WorkerContext&) -> absl::StatusOr<std::string> {
    seen = input;
    return base::unavailable("there is no host example.org", "check the URL");
  };
  const flow::Job ended = runner().run(id);
  EXPECT_THAT(seen, HasSubstr("SECRET"));
  EXPECT_EQ(ended.state, flow::JobState::kFailed);
  ASSERT_OK_AND_ASSIGN(const store::Document stored, metadata().get({"default", "job", id}));
  EXPECT_THAT(stored.body, ::testing::Not(HasSubstr("SECRET")));
  EXPECT_THAT(stored.body, HasSubstr("https://example.org/a.csv"));
  EXPECT_EQ(factory().job("default", id)->at("error").at("request_id"), "req-7");
}

TEST_F(ImportsTest, TheLogTellsWhatWasReadAndWritten) {
  ImportRequest request;
  request.checks_json = R"([{"column":"a","between":[0,1],"on_fail":"warn"}])";
  ASSERT_EQ(import("a,b\n1,x\n2,y\n3,z\n", request).state, flow::JobState::kSucceeded);
  const std::string log = base::join(runner().log, "\n");
  EXPECT_THAT(log, HasSubstr("read rows-1.csv: csv, utf-8, columns between ','"));
  EXPECT_THAT(log, HasSubstr("3 rows, 0 of them in quarantine"));
  EXPECT_THAT(log, HasSubstr("2 rows fail, on_fail warn"));
  EXPECT_THAT(log, HasSubstr("wrote 3 rows"));
  EXPECT_THAT(log, HasSubstr("3 rows of 2 columns, 0 in quarantine"));
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
