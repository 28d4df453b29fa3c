#include <gmock/gmock.h>

#include "app/factory_fixture.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class RunsTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    runner().workers["train"] = fake_training();
    ASSERT_EQ(runner().run(submit_import("trips", "late,a\ntrue,1\n")).state,
              flow::JobState::kSucceeded);
  }

  std::string start() {
    const auto job =
        factory().start_run({.request_id = "req-9"}, "default",
                            {{"dataset", "trips"}, {"target", "late"}, {"model", "late"}});
    EXPECT_OK(job);
    return job.ok() ? job->value("id", std::string()) : std::string();
  }
  base::Json run(const std::string& id) { return factory().run("default", id).value(); }
};

TEST_F(RunsTest, AVersionAndTheEndOfItsRunAreThereTogetherOrNotAtAll) {
  for (int n = 1;; ++n) {
    const std::string id = start();
    const HandRunner::Attempt attempt = runner().begin(id);
    metadata().fail_commit(n);
    const flow::Job job = runner().finish(attempt);
    metadata().fail_commit(0);
    ASSERT_OK_AND_ASSIGN(const int64_t version,
                         version_made_by(context(), "model", "default", "late", id));
    EXPECT_EQ(version > 0, run(id)["state"] == "succeeded") << "commit " << n;
    if (job.state == flow::JobState::kSucceeded) {
      EXPECT_EQ(run(id)["model_version"], version);
      EXPECT_GT(n, 1);
      break;
    }
    EXPECT_EQ(version, 0);
    EXPECT_EQ(run(id)["state"], "failed");
    EXPECT_EQ(factory().job("default", id)->at("error").at("request_id"), "req-9");
  }
}

TEST_F(RunsTest, TheLineageTellsWhichRowsAndWhichProgram) {
  ASSERT_EQ(runner()
                .run(submit_import("trips", "late,a\ntrue,1\nfalse,2\n",
                                   {.query = "select * from input where a > 1"}))
                .state,
            flow::JobState::kSucceeded);
  ASSERT_EQ(runner().run(start()).state, flow::JobState::kSucceeded);
  const base::Json rows = factory().dataset_version("default", "trips", "latest").value();
  const base::Json lineage = factory().model_version("default", "late", "1")->at("lineage");
  EXPECT_EQ(lineage["dataset_version"], rows["version"]);
  EXPECT_EQ(lineage["content_hash"], rows["content_hash"]);
  EXPECT_FALSE(lineage["content_hash"].get<std::string>().empty());
  EXPECT_EQ(lineage["query"], "select * from input where a > 1");
  EXPECT_EQ(lineage["sources"].at(0).at("hash"), rows["sources"].at(0).at("hash"));
  EXPECT_EQ(lineage["code_version"], "test");
  EXPECT_EQ(lineage["commit"], "0123abc");
}

TEST_F(RunsTest, ARunThatIsCarriedOutAgainAfterItsCommitKeepsItsFirstReport) {
  const std::string id = start();
  ASSERT_EQ(runner().finish(runner().begin(id)).state, flow::JobState::kSucceeded);
  ASSERT_EQ(run(id)["timing"]["training"], 1);
  restart();  // The end of the job was lost, the runner takes it up again.
  runner().workers["train"] = fake_training();
  const HandRunner::Attempt again = runner().begin(id);
  EXPECT_EQ(run(id)["state"], "running");
  EXPECT_EQ(runner().finish(again).state, flow::JobState::kSucceeded);
  EXPECT_EQ(run(id)["state"], "succeeded");
  EXPECT_EQ(run(id)["timing"]["training"], 1);
  EXPECT_EQ(factory().model("default", "late")->at("latest_version"), 1);
}

TEST_F(RunsTest, ARunFollowsItsJobAfterACrash) {
  const std::string queued = start();
  // The server ended after the run was written, before its job was.
  const std::string orphan = "01hv3c9k2m8q4z7x5y6w1t0s9r";
  base::Json body = run(queued);
  body["id"] = orphan;
  body["job"] = orphan;
  ASSERT_OK(
      metadata().commit({store::Write::put({"default", "run", orphan}, base::dump_json(body))}));
  // The job ended, but the disk was full when its run should have been told.
  const std::string untold = start();
  const HandRunner::Attempt attempt = runner().begin(untold);
  ASSERT_OK(base::system_files().remove(attempt.work_dir / "model.package"));
  metadata().fail_commit(1);
  ASSERT_EQ(runner().finish(attempt).state, flow::JobState::kFailed);
  metadata().fail_commit(0);
  EXPECT_EQ(run(untold)["state"], "running");
  restart();
  EXPECT_EQ(run(queued)["state"], "queued");
  EXPECT_EQ(run(orphan)["state"], "failed");
  EXPECT_THAT(run(orphan)["error"].value("detail", std::string()), HasSubstr("server ended"));
  EXPECT_EQ(run(untold)["state"], "failed");
  EXPECT_FALSE(run(untold)["error"].value("detail", std::string()).empty());
}

}  // namespace
}  // namespace cromford::app
