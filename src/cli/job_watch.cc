#include "cli/job_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/status.h"
#include "cli/json_fields.h"
#include "cli/problem.h"

namespace cromford::cli {
namespace {

// The next look is a tenth of the time that has passed away, so that what is short does not seem
// long and what is long is not asked for all the time.
constexpr std::chrono::milliseconds kShortestWait{10};
constexpr std::chrono::milliseconds kLongestWait{250};
constexpr int kWaitShare = 10;
// A server that restarts takes its jobs up again; until then it is asked this often.
constexpr int kLostMax = 20;
constexpr int kBarWidth = 14;

std::string bar(double fraction) {
  const int full = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * kBarWidth));
  std::string text;
  for (int i = 0; i < kBarWidth; ++i) {
    text += i < full ? "━" : "─";
  }
  return text;
}

// What training tells of itself while it runs, the most telling first: a narrow terminal cuts the
// end off.
std::string live_figures(const base::Json& detail) {
  std::string text;
  if (const auto eta = number_field(detail, "eta_s"); eta && *eta > 0) {
    text += fmt::format("  {} left", seconds_cell(std::ceil(*eta)).shown);
  }
  const base::Json& best = field(detail, "best");
  if (const auto score = number_field(best, "score"); score) {
    text += fmt::format("  best {} {} ({})", text_field(detail, "metric"), score_cell(*score).shown,
                        text_field(best, "learner"));
  }
  if (const auto trials = integer_field(detail, "trials_done"); trials && *trials > 0) {
    text += fmt::format("  {} trial{}", *trials, *trials == 1 ? "" : "s");
  }
  if (const auto rows = integer_field(detail, "rows"); rows && *rows > 0) {
    text += fmt::format("  {} rows", with_thousands(*rows));
  }
  if (const std::string step = text_field(detail, "step"); !step.empty()) {
    text += "  " + step;
  }
  return text;
}

bool is_final(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "cancelled";
}

absl::StatusOr<base::Json> outcome(const base::Json& job, const WatchOptions& options) {
  const std::string state = text_field(job, "state");
  if (state == "succeeded") {
    return job;
  }
  const base::Json& error = field(job, "error");
  if (state == "cancelled") {
    if (options.keeps_partial_result && field(job, "result").is_object()) {
      return job;
    }
    const std::string why = text_field(error, "detail");
    return base::cancelled(why.empty() ? fmt::format("the {} was cancelled", options.what) : why);
  }
  if (error.is_object()) {
    return status_of_problem(error);
  }
  return base::internal(fmt::format("the {} failed", options.what),
                        fmt::format("see `cromford job log {}`", text_field(job, "id")));
}

class Watch {
 public:
  Watch(Session& session, std::string id, const WatchOptions& options)
      : session_(session), id_(std::move(id)), options_(options) {}

  absl::StatusOr<base::Json> run(base::Json job) {
    Environment& environment = session_.environment();
    if (environment.count_interrupts) {
      environment.count_interrupts();
    }
    seen_ = interrupts();
    const auto start = base::system_clock().monotonic();
    while (!is_final(text_field(job, "state"))) {
      TRY(heed_interrupts());
      const auto elapsed = base::system_clock().monotonic() - start;
      session_.output().progress(
          progress_line(job, options_.what, std::chrono::duration<double>(elapsed).count()));
      environment.sleep(
          std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>(elapsed / kWaitShare),
                     kShortestWait, kLongestWait));
      TRY(look(job));
    }
    session_.output().progress("");
    return outcome(job, options_);
  }

 private:
  int interrupts() const {
    const auto* count = session_.environment().interrupts;
    return count == nullptr ? 0 : count->load();
  }

  absl::Status interrupted() const {
    return base::cancelled(fmt::format("interrupted; the job was {}", id_));
  }

  absl::Status heed_interrupts() {
    const int pressed = interrupts() - seen_;
    if (pressed >= 2) {
      return interrupted();
    }
    if (pressed == 1 && !cancelled_) {
      cancelled_ = true;
      session_.output().note(options_.cancel_note);
      const std::string path =
          options_.cancel_path.empty() ? fmt::format("/jobs/{}:cancel", id_) : options_.cancel_path;
      const absl::Status status = session_.post(path, base::Json::object()).status();
      // The job may have ended meanwhile; its state tells.
      if (!status.ok() && status.code() != absl::StatusCode::kFailedPrecondition) {
        session_.output().warning(base::describe(status));
      }
    }
    return absl::OkStatus();
  }

  absl::Status look(base::Json& job) {
    absl::StatusOr<base::Json> next = session_.get("/jobs/" + encoded(id_));
    if (next.ok()) {
      job = *std::move(next);
      lost_ = 0;
      return absl::OkStatus();
    }
    if (next.status().code() == absl::StatusCode::kCancelled) {
      return interrupted();
    }
    const bool may_return = next.status().code() == absl::StatusCode::kUnavailable;
    if (!may_return || session_.hosts() || ++lost_ > kLostMax) {
      return base::with_remedy(
          base::annotate(next.status(), fmt::format("while waiting for job {}", id_)),
          fmt::format("the job may still run: `cromford job show {}`", id_));
    }
    return absl::OkStatus();
  }

  Session& session_;
  std::string id_;
  const WatchOptions& options_;
  int seen_ = 0;
  int lost_ = 0;
  bool cancelled_ = false;
};

}  // namespace

std::string progress_line(const base::Json& job, const std::string& what, double elapsed_s) {
  const std::string stage = text_field(job, "stage");
  const double fraction = number_field(job, "progress").value_or(0);
  const std::string state = text_field(job, "state");
  return fmt::format("{} {} {:.0f}% {}  {}{}", what, bar(fraction), fraction * 100,
                     seconds_cell(elapsed_s).shown,
                     state == "queued" ? std::string("waiting for its turn") : stage,
                     live_figures(field(job, "detail")));
}

absl::StatusOr<base::Json> wait_for_job(Session& session, const base::Json& job,
                                        const WatchOptions& options) {
  const std::string id = text_field(job, "id");
  if (id.empty()) {
    return base::damaged("the server's answer names no job");
  }
  return Watch(session, id, options).run(job);
}

}  // namespace cromford::cli
