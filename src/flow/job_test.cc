#include "flow/job.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "flow/status_json.h"
#include "testing/status_matchers.h"

namespace cromford::flow {
namespace {

using testing::StatusIs;

Job example() {
  Job job;
  job.id = "01hv3c9k2m8q4z7x5y6w1t0s9r";
  job.project = "default";
  job.kind = "train";
  job.title = "train late on flights@1";
  job.payload = R"({"secret":"path"})";
  job.request_id = "01hv3c9k2m8q4z7x5y6w1t0s9r";
  job.state = JobState::kFailed;
  job.stage = "searching";
  job.progress = 0.5;
  job.detail = R"({"trials_done":3})";
  job.error = base::with_field_error(base::refused("no", "yes"), {"/a", "b"});
  job.attempt = 2;
  job.cancel_requested = true;
  job.created_at = *base::parse_time("2026-01-01T00:00:00.000001Z");
  job.started_at = *base::parse_time("2026-01-01T00:00:01Z");
  return job;
}

TEST(JobTest, ADocumentGivesTheJobBack) {
  ASSERT_OK_AND_ASSIGN(const Job job, from_document(to_document(example())));
  EXPECT_EQ(to_document(job), to_document(example()));
  EXPECT_EQ(job.payload, example().payload);
  EXPECT_EQ(job.attempt, 2);
  EXPECT_TRUE(job.cancel_requested);
  EXPECT_EQ(job.created_at, example().created_at);
  EXPECT_FALSE(job.finished_at.has_value());
  EXPECT_EQ(base::field_errors(job.error).at(0).detail, "b");
}

TEST(JobTest, AResourceShowsNoPayload) {
  const base::Json resource = to_resource(example());
  EXPECT_FALSE(resource.contains("payload"));
  EXPECT_EQ(resource["state"], "failed");
  EXPECT_EQ(resource["detail"]["trials_done"], 3);
  EXPECT_EQ(resource["error"]["remedy"], "yes");
  EXPECT_EQ(resource["error"].value("request_id", std::string()), example().request_id);
  EXPECT_TRUE(resource["finished_at"].is_null());
  EXPECT_TRUE(resource["result"].is_null());
}

TEST(JobTest, JobsOfEarlierProgramsHaveNoRequest) {
  base::Json document = *base::parse_json(to_document(example()));
  document.erase("request_id");
  ASSERT_OK_AND_ASSIGN(const Job job, from_document(base::dump_json(document)));
  EXPECT_FALSE(to_resource(job)["error"].contains("request_id"));
}

TEST(JobTest, DamagedDocumentsAreErrors) {
  for (const char* const text : {"", "[]", "{}", R"({"id":1})"}) {
    EXPECT_THAT(from_document(text), StatusIs(absl::StatusCode::kDataLoss)) << text;
  }
  base::Json document = *base::parse_json(to_document(example()));
  for (const auto& [key, wrong] :
       std::initializer_list<std::pair<const char*, base::Json>>{{"state", "dancing"},
                                                                 {"created_at", "yesterday"},
                                                                 {"attempt", "one"},
                                                                 {"request_id", 7}}) {
    base::Json changed = document;
    changed[key] = wrong;
    EXPECT_THAT(from_document(base::dump_json(changed)), StatusIs(absl::StatusCode::kDataLoss))
        << key;
  }
}

TEST(StatusJsonTest, StatusesSurvive) {
  EXPECT_OK(status_from_json(status_to_json(absl::OkStatus())));
  const absl::Status status = status_from_json(status_to_json(example().error));
  EXPECT_EQ(base::describe(status), "no (yes)");
  EXPECT_THAT(status_from_json("oops"), StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(status_from_json({{"code", "OK"}}), StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace cromford::flow
