#include "app/log_upkeep.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "app/endpoint_log.h"
#include "base/log.h"
#include "base/status.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

constexpr std::chrono::minutes kInterval{1};
// A job that fails is not submitted every minute.
constexpr std::chrono::hours kSubmitAgainAfter{1};

}  // namespace

void apply_retention(feedback::Log& log, const feedback::Retention& retention) {
  if (retention.age.count() == 0 && retention.bytes == 0) {
    return;
  }
  const absl::StatusOr<uint64_t> freed = log.retain(retention);
  if (!freed.ok()) {
    base::log_warning("old segments of the prediction log could not be removed",
                      {{"error", base::describe(freed.status())}});
  } else if (*freed > 0) {
    base::log_info("removed old segments of the prediction log", {{"bytes", *freed}});
  }
}

absl::Status LogUpkeep::compact_if_due(const std::string& project, const std::string& endpoint) {
  base::Time& submitted_at = submitted_at_[serve::log_key(project, endpoint)];
  const base::Time now = context_.clock->now();
  if (submitted_at + kSubmitAgainAfter > now) {
    return absl::OkStatus();
  }
  TRY(const bool due, compaction_is_due(context_, project, endpoint));
  if (due) {
    submitted_at = now;
    TRY(context_.runner->submit(compaction_job(project, endpoint)));
  }
  return absl::OkStatus();
}

void LogUpkeep::compact_what_is_due() {
  std::string token;
  do {
    const absl::StatusOr<store::DocumentPage> page =
        context_.metadata->list({.kind = "endpoint", .page_size = 1000, .page_token = token});
    if (!page.ok()) {
      base::log_warning("endpoints could not be listed",
                        {{"error", base::describe(page.status())}});
      return;
    }
    for (const store::Document& endpoint : page->documents) {
      const absl::Status status = compact_if_due(endpoint.key.project, endpoint.key.name);
      if (!status.ok()) {
        base::log_warning("the log of an endpoint could not be compacted",
                          {{"endpoint", endpoint.key.name}, {"error", base::describe(status)}});
      }
    }
    token = page->next_page_token;
  } while (!token.empty());
}

LogUpkeep::LogUpkeep(Context& context) : context_(context), thread_([this] { run(); }) {}

LogUpkeep::~LogUpkeep() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LogUpkeep::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kInterval, [this] { return stopped_; })) {
      return;
    }
    lock.unlock();
    if (context_.options.takes_up_jobs) {  // Not a command that is gone in a moment.
      compact_what_is_due();
    }
    apply_retention(*context_.log, context_.options.log_retention);
  }
}

}  // namespace cromford::app
