#pragma once

// One piece of background work: importing, training, scoring, a pipeline run. A job is a document
// in the metadata store from the moment it is accepted, so that it survives the process; the runner
// (runner.h) carries it out.
//
//   TRY(flow::Job job, runner.submit({.project = "default", .kind = "import",
//                                     .title = "import into flights", .payload = request}));
//   base::Json resource = flow::to_resource(job);     // what the API answers
//
// Thread safety: values.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "store/metadata.h"

namespace cromford::flow {

enum class JobState { kQueued, kRunning, kSucceeded, kFailed, kCancelled };

// "queued", "running", "succeeded", "failed", "cancelled".
std::string_view state_name(JobState state);
inline bool is_final(JobState state) {
  return state != JobState::kQueued && state != JobState::kRunning;
}

struct Job {
  std::string id;
  std::string project;
  std::string kind;        // "import", "train", "evaluate", "score", "pipeline", ...
  std::string title;       // For people: "train late on flights@1".
  std::string payload;     // JSON object: what the kind needs to do the work. Not shown to clients.
  std::string request_id;  // Of the request that made it; empty where there is none.
  std::string actor;       // For whom it is done, in the words of the audit log; may be empty.

  JobState state = JobState::kQueued;
  std::string stage;          // The kind's own word for what goes on.
  double progress = 0;        // 0 to 1.
  std::string detail = "{}";  // JSON object: live figures of the kind.
  std::string result =
      "null";          // JSON: the kind's answer once it succeeded (or kept a partial one).
  absl::Status error;  // Why it failed or was cancelled; OK otherwise.
  int attempt = 0;     // How often it was started.
  bool cancel_requested = false;  // So that a crash does not forget it.

  base::Time created_at;
  std::optional<base::Time> started_at;
  std::optional<base::Time> finished_at;
};

// What a job is made of.
struct NewJob {
  std::string project;
  std::string kind;
  std::string title;
  std::string payload;  // JSON object.
  std::string request_id{};
  std::string actor{};
  // Usually empty: a new one is made. Who must be able to submit the same job again after a crash
  // without doing it twice chooses an id beforehand; where it exists already, submit() answers with
  // the job as it is.
  std::string id{};
  // Committed together with the job, once, where it is new.
  std::vector<store::Write> with{};
};
// INVALID_ARGUMENT where the payload is no object or the chosen id is none.
absl::Status check_new_job(const NewJob& request);
Job new_job(NewJob request, std::string id, base::Time now);

// Why a job that has ended cannot be cancelled.
absl::Status ended_already(const Job& job);

// The job as the API shows it: id, kind, title, state, stage, progress, detail, created_at,
// started_at, finished_at, error (a problem document with the request's id, or null), result.
base::Json to_resource(const Job& job);

// The document that is stored, and back. DATA_LOSS where it is not one.
std::string to_document(const Job& job);
absl::StatusOr<Job> from_document(std::string_view document);

}  // namespace cromford::flow
