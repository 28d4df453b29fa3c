#pragma once

// The child's side of a job (runner.h tells the whole life). The program `cromford worker KIND`
// calls run_worker() with the functions it knows.
//
//   int main_of_worker(std::string_view kind) {
//     return flow::run_worker(kind, {{"import", import_rows}, {"train", train_model}});
//   }
//
// Protocol: the input is one JSON object on standard input; the current directory is the work
// directory; each line on standard output is {"stage","progress","detail"}, or {"log"} with a line
// for the job's log; result.json is written last, by rename; on failure error.json carries the
// status and the exit code is not 0. SIGTERM sets the cancel token. Standard error goes to the
// job's log.

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/cancel.h"

namespace cromford::flow {

class WorkerContext {
 public:
  virtual ~WorkerContext() = default;
  // `detail` is a JSON object with the kind's live figures, or "". Cheap: it is written at most
  // four times a second. Any thread.
  virtual void progress(std::string_view stage, double fraction, std::string_view detail) = 0;
  // A line for the job's log, for whoever asks later what was done: each step and what it found.
  // The runner bounds the log. Any thread.
  virtual void log(std::string_view line) = 0;
  virtual const base::CancelToken& cancel() const = 0;
  virtual const std::filesystem::path& work_dir() const = 0;
};

// Takes the input's JSON, gives the result's JSON.
using WorkerFunction =
    std::function<absl::StatusOr<std::string>(std::string_view input, WorkerContext& context)>;

// Gives the exit code of the process.
int run_worker(std::string_view kind, const std::map<std::string, WorkerFunction>& functions);

}  // namespace cromford::flow
