#pragma once

// Uploaded bodies that a job has been accepted for. They lie in home/run/uploads under the job's
// id, so that a job that was acknowledged finds its rows again after a crash (home/tmp does not
// last).
//
//   TRY(const std::filesystem::path kept, keep_upload(context, spooled_file, job_id));
//   ...
//   drop_upload(context, kept);            // when the job has ended
//
// Thread safety: free functions; each file belongs to one job.

#include <filesystem>
#include <string>

#include "app/context.h"
#include "base/status.h"

namespace cromford::app {

// Moves the spooled file and returns once it would survive a loss of power.
absl::StatusOr<std::filesystem::path> keep_upload(const Context& context,
                                                  const std::filesystem::path& spooled_file,
                                                  const std::string& job_id);
// Not an error where it is gone already; an empty path is nothing.
void drop_upload(const Context& context, const std::filesystem::path& kept);

// Removes the uploads of jobs that are over or were never stored; at start.
absl::Status drop_forgotten_uploads(const Context& context);

}  // namespace cromford::app
