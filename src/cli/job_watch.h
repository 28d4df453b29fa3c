#pragma once

// Waiting for background work: polls the job, draws its progress on a terminal, and turns Ctrl-C
// into a cancel.
//
//   TRY(const base::Json started, session.post("/runs", body));
//   TRY(const base::Json job, wait_for_job(session, started, {.what = "training"}));
//   const base::Json& result = field(job, "result");
//
// Thread safety: belongs to one thread.

#include <absl/status/statusor.h>

#include <string>

#include "base/json.h"
#include "cli/session.h"

namespace cromford::cli {

struct WatchOptions {
  std::string what;  // "import", for the progress line.
  // Where a first Ctrl-C posts to, below the project; empty: the job's own `:cancel`.
  std::string cancel_path = {};
  // Said after the first Ctrl-C.
  std::string cancel_note = "cancelling (Ctrl-C again quits at once)";
  // A cancelled job that left a result is returned like one that succeeded.
  bool keeps_partial_result = false;
};

// Returns the job's last document once it succeeded. The job's own error where it failed; CANCELLED
// where it was cancelled, or where Ctrl-C was pressed twice (the job then goes on in the server, or
// ends with a hosted one).
absl::StatusOr<base::Json> wait_for_job(Session& session, const base::Json& job,
                                        const WatchOptions& options);

// One line about a running job: stage, bar, live figures, time. `elapsed_s` since it was started.
std::string progress_line(const base::Json& job, const std::string& what, double elapsed_s);

}  // namespace cromford::cli
