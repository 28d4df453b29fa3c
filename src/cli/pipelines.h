#pragma once

// Pipelines from the client's side, shared by the `pipeline` commands and the demo.
//
//   TRY(const std::string name, pipeline_name_of(yaml, "line.yaml"));
//   TRY(apply_pipeline_text(session, name, yaml));
//   TRY(const base::Json job, run_pipeline_and_wait(session, name));
//
// Thread safety: functions only; a session belongs to one thread.

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/session.h"

namespace cromford::cli {

inline constexpr size_t kPipelineFileMax = 1 << 20;

// What stands behind `pipeline:` at the beginning of a line; the rest of the file is the server's
// to read. INVALID_ARGUMENT where there is no such line or no good name.
absl::StatusOr<std::string> pipeline_name_of(std::string_view yaml, std::string_view file);

// Relative file sources are seen from `folder`; empty: there are none.
absl::StatusOr<base::Json> apply_pipeline_text(Session& session, const std::string& name,
                                               const std::string& yaml,
                                               const std::filesystem::path& folder);
// The last document of the job.
absl::StatusOr<base::Json> run_pipeline_and_wait(Session& session, const std::string& name);
// The steps of one entry of a pipeline's history.
void print_steps(const base::Json& run, Output& output);

}  // namespace cromford::cli
