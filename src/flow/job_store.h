#pragma once

// Jobs in the metadata store: under which key they lie, which of them wait to be carried out, and
// which are old enough to be forgotten.
//
//   TRY(std::vector<Job> jobs, jobs_in_state(metadata, JobState::kRunning));
//   TRY(put_job(metadata, job));
//   prune_jobs(metadata, 10'000, [&](const Job& job) { remove(log_file(job.id)); });
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "flow/job.h"
#include "store/metadata.h"

namespace cromford::flow {

inline constexpr std::string_view kJobDocumentKind = "job";

store::DocumentKey job_key(const Job& job);

// Replaces the stored job.
absl::Status put_job(store::Metadata& metadata, const Job& job);
// ALREADY_EXISTS where there is one of this id.
absl::Status put_new_job(store::Metadata& metadata, const Job& job,
                         std::vector<store::Write> with = {});
// NOT_FOUND names the job.
absl::StatusOr<Job> get_job(const store::Metadata& metadata, std::string_view project,
                            std::string_view id);

// Of all projects, in the order in which they were made. Documents that cannot be read are logged
// and left out.
absl::StatusOr<std::vector<Job>> jobs_in_state(const store::Metadata& metadata, JobState state);

// Removes the oldest finished jobs of each project beyond the newest `finished_max`.
absl::Status prune_jobs(store::Metadata& metadata, int64_t finished_max,
                        const std::function<void(const Job&)>& on_removed);

}  // namespace cromford::flow
