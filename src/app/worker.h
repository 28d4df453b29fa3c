#pragma once

// What `cromford worker KIND` runs: the heavy half of each kind of job, and users' queries, in a
// process of its own that sees plain files and touches neither the metadata nor the objects of the
// home.
//
//   return app::worker_main(kind);
//
// Thread safety: called once, by main.

#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "flow/worker.h"

namespace cromford::app {

// The exit code of the process.
int worker_main(std::string_view kind);

// The kinds; each takes its input's JSON and gives its result's JSON.
absl::StatusOr<std::string> import_rows(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> compact_log(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> train_model(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> evaluate_model(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> choose_window(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> judge_candidate(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> query_rows(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> read_outcomes(std::string_view input, flow::WorkerContext& context);
absl::StatusOr<std::string> score_rows(std::string_view input, flow::WorkerContext& context);

}  // namespace cromford::app
