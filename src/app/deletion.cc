#include "app/deletion.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "base/log.h"
#include "flow/job_store.h"
#include "store/sweep.h"

namespace cromford::app {
namespace {

// Longer than anything takes from storing objects to the commit that names them.
constexpr std::chrono::hours kGrace{1};
// A command that hosts the factory for a moment is gone by then.
constexpr std::chrono::seconds kFirstAfter{2};
constexpr std::chrono::hours kInterval{1};

// Whether the text at `key` is the name, or one version of it.
bool names(const base::Json& payload, const char* key, const std::string& name) {
  const auto found = payload.find(key);
  if (found == payload.end() || !found->is_string()) {
    return false;
  }
  const auto& text = found->get_ref<const std::string&>();
  return text == name || text.starts_with(name + "@");
}

bool uses(const base::Json& payload, const std::string& kind, const std::string& name) {
  return kind == "dataset" ? names(payload, "dataset", name)
                           : names(payload, "model", name) || names(payload, "champion", name);
}

absl::Status check_no_job_uses(const Context& context, const std::string& kind,
                               const std::string& project, const std::string& name) {
  for (const flow::JobState state : {flow::JobState::kQueued, flow::JobState::kRunning}) {
    TRY(const std::vector<flow::Job> jobs, flow::jobs_in_state(*context.metadata, state));
    for (const flow::Job& job : jobs) {
      const absl::StatusOr<base::Json> payload = base::parse_json(job.payload);
      if (job.project == project && payload.ok() && uses(*payload, kind, name)) {
        return base::refused(
            fmt::format("{} '{}' cannot be deleted: the job {} ({}) works with it", kind, name,
                        job.id, job.title),
            fmt::format("wait for it, or stop it: cromford job cancel {}", job.id));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status delete_with_versions(const Context& context, const std::string& kind,
                                  const std::string& project, const std::string& name) {
  TRY(check_no_job_uses(context, kind, project, name));
  TRY(const store::Document thing, context.metadata->get({project, kind, name}));
  std::vector<store::Write> writes = {store::Write::remove(thing.key, thing.revision)};
  std::string token;
  do {
    TRY(const store::DocumentPage page, context.metadata->list({.project = project,
                                                                .kind = kind + "_version",
                                                                .name_prefix = name + "@",
                                                                .page_size = 1000,
                                                                .page_token = token}));
    for (const store::Document& version : page.documents) {
      writes.push_back(store::Write::remove(version.key));
    }
    token = page.next_page_token;
  } while (!token.empty());
  TRY(writes,
      audited(context, std::move(writes),
              {.project = project, .action = kind + ".deleted", .object = kind + "/" + name}));
  TRY(context.metadata->commit(writes));
  sweep_objects(context);
  return absl::OkStatus();
}

void sweep_objects(const Context& context, const base::CancelToken& cancel) {
  // The age of an object is told by the file system, so that the machine's clock counts.
  const base::Time before = base::system_clock().now() - kGrace;
  const absl::StatusOr<store::Swept> swept =
      store::sweep(*context.metadata, *context.objects, before, cancel);
  if (!swept.ok()) {
    if (!absl::IsCancelled(swept.status())) {
      base::log_warning("objects without use could not be removed",
                        {{"error", base::describe(swept.status())}});
    }
    return;
  }
  if (swept->object_count > 0) {
    base::log_info("removed objects without use",
                   {{"objects", swept->object_count}, {"bytes", swept->bytes}});
  }
}

Sweeper::Sweeper(const Context& context) : context_(context), thread_([this] { run(); }) {}

Sweeper::~Sweeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_.cancel();
  }
  stopped_.notify_all();
  thread_.join();
}

void Sweeper::run() {
  std::chrono::seconds pause = kFirstAfter;
  while (true) {
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, pause, [this] { return stop_.cancelled(); })) {
      return;
    }
    lock.unlock();
    sweep_objects(context_, stop_.token());
    pause = kInterval;
  }
}

}  // namespace cromford::app
