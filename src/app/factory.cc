#include "app/factory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/alerts_stage.h"
#include "app/audit.h"
#include "app/counters_stage.h"
#include "app/endpoint_log.h"
#include "app/evaluate_kind.h"
#include "app/import_kind.h"
#include "app/loop_stage.h"
#include "app/outcomes_kind.h"
#include "app/pipeline_steps.h"
#include "app/quality_stage.h"
#include "app/resources.h"
#include "app/retrain_kinds.h"
#include "app/train_kind.h"
#include "app/uploads.h"
#include "base/log.h"
#include "base/process.h"
#include "base/random.h"

namespace cromford::app {
namespace {

base::Json degraded_json(const std::vector<EndpointHost::Degraded>& endpoints) {
  base::Json list = base::Json::array();
  for (const EndpointHost::Degraded& endpoint : endpoints) {
    list.push_back({{"project", endpoint.project},
                    {"endpoint", endpoint.name},
                    {"serving", endpoint.serving},
                    {"reason", endpoint.reason}});
  }
  return list;
}

base::Json audit_json(const govern::AuditLog& log) {
  const absl::Status state = log.state();
  return state.ok() ? base::Json{{"state", "ok"}}
                    : base::Json{{"state", "damaged"}, {"reason", base::describe(state)}};
}

}  // namespace

Factory::Factory(std::unique_ptr<Context> context)
    : context_(std::move(context)),
      queries_(*context_),
      predict_context_{
          .ids = *context_->ids, .clock = *context_->clock, .limits = context_->options.limits},
      host_(*context_, registry_),
      monitoring_(*context_, registry_),
      rounds_(*context_, registry_),
      started_at_(context_->clock->now()) {}

Factory::~Factory() {
  stop();
}

absl::StatusOr<std::unique_ptr<App>> App::create(Options options) {
  auto context = std::make_unique<Context>();
  context->options = std::move(options);
  context->clock = &base::system_clock();
  context->files = &base::system_files();
  TRY(context->home, store::Home::open(context->options.home));
  TRY(auto metadata, store::open_sqlite(context->home->database(), *context->clock));
  context->metadata = govern::require_entries(std::move(metadata), audited_kinds());
  TRY(context->objects, store::open_directory(context->home->objects()));
  context->ids = std::make_unique<base::IdSource>(*context->clock, base::system_entropy());
  context->auditor =
      std::make_unique<govern::Auditor>(*context->clock, *context->ids, base::system_entropy());
  // Ids that begin with the time, so that those of an earlier server are seen to be too old.
  context->events = flow::make_event_hub(
      {.first_id = static_cast<uint64_t>(context->clock->now().time_since_epoch().count())});
  context->runner =
      flow::make_runner({.worker_command = context->options.worker_command,
                         .work_root = context->home->tmp() / "jobs",
                         .log_root = context->home->root() / "log" / "jobs",
                         .takes_up = context->options.takes_up_jobs,
                         .jobs_at_once = context->options.limits.jobs_at_once,
                         .memory_limit_bytes = context->options.limits.job_memory_bytes},
                        *context->metadata, *context->events, *context->clock, *context->ids);
  auto factory = std::make_unique<Factory>(std::move(context));
  TRY(factory->open());
  return std::unique_ptr<App>(std::move(factory));
}

absl::Status Factory::open_audit() {
  Context& context = *context_;
  TRY(context.audit,
      govern::AuditLog::open({.metadata = *context.metadata,
                              .files = *context.files,
                              .entropy = base::system_entropy(),
                              .key_file = context.home->root() / "keys" / "audit.key",
                              .watches = context.options.takes_up_jobs}));
  if (!context.options.takes_up_jobs) {
    return absl::OkStatus();  // A command that hosts the factory for a moment.
  }
  const base::Limits& limits = context.options.limits;
  TRY(const std::vector<store::Write> started,
      audited(context, {},
              {.action = "server.started",
               .object = "server",
               .details = {{"version", context.options.version},
                           {"commit", context.options.commit},
                           {"durability", static_cast<int>(context.options.durability)},
                           {"full_disk", static_cast<int>(context.options.full_disk)},
                           {"allow_private_urls", context.options.allow_private_urls},
                           {"jobs_at_once", limits.jobs_at_once},
                           {"job_memory_bytes", limits.job_memory_bytes}}}));
  return context.metadata->commit(started).status();
}

absl::Status Factory::open() {
  Context& context = *context_;
  TRY(open_audit());
  steps_ = std::make_unique<PipelineSteps>(context, *this);
  context.runner->add(make_import_kind(context));
  context.runner->add(make_train_kind(context));
  context.runner->add(make_evaluate_kind(context));
  context.runner->add(make_score_kind(context));
  context.runner->add(make_choose_kind(context));
  context.runner->add(make_judge_kind(context));
  context.runner->add(make_outcomes_kind(context, registry_));
  context.runner->add(make_compact_kind(context));
  context.runner->add(flow::make_pipeline_kind(*context.metadata, *context.runner, *context.clock,
                                               *context.ids, *steps_));
  TRY(open_log());
  add_stages();
  TRY(host_.open());
  TRY(drop_forgotten_uploads(context));
  TRY(settle_runs(context));
  TRY(context.runner->start());
  sweeper_ = std::make_unique<Sweeper>(context);
  rounds_.start(context.options.round_interval);
  log_upkeep_ = std::make_unique<LogUpkeep>(context);
  if (context.options.round_interval.count() > 0) {
    sender_->start();
  }
  return absl::OkStatus();
}

void Factory::add_stages() {
  auto counters = std::make_unique<CountersStage>(*context_);
  host_.on_publish(
      [stage = counters.get()](const serve::Endpoint& endpoint) { stage->watch(endpoint); });
  rounds_.add(std::move(counters));
  rounds_.add(std::make_unique<QualityStage>(*context_));
  sender_ = std::make_unique<AlertSender>(*context_);
  rounds_.add(std::make_unique<AlertsStage>(*context_, monitoring_, [this] { sender_->wake(); }));
  rounds_.add(std::make_unique<LoopStage>(
      *context_, registry_, [this](const EndpointName& name, const lifecycle::Traffic& traffic) {
        return set_loop_traffic(name, traffic);
      }));
}

absl::Status Factory::open_log() {
  Context& context = *context_;
  const size_t writers = context.options.prediction_threads + 1;  // And the scorer of shadows.
  TRY(context.log, feedback::Log::open({.directory = context.home->log() / "predictions",
                                        .writers = writers,
                                        .durability = context.options.durability,
                                        .full_disk = context.options.full_disk,
                                        .files = context.files,
                                        .clock = context.clock}));
  for (const feedback::LogFault& fault : context.log->recovery().faults) {
    base::log_error("a file of the prediction log is damaged; what is whole was kept",
                    {{"file", fault.file.filename().string()},
                     {"offset", fault.offset},
                     {"reason", fault.reason},
                     {"copy", fault.kept_as.string()}});
  }
  context.predictions = std::make_unique<serve::PredictionLog>(*context.log, writers);
  shadows_ = std::make_unique<serve::ShadowScorer>(*context.clock, context.predictions.get());
  predict_context_.shadows = shadows_.get();
  predict_context_.log = context.predictions.get();
  return absl::OkStatus();
}

void Factory::stop() {
  shadows_.reset();
  rounds_.stop();
  log_upkeep_.reset();
  if (sender_ != nullptr) {
    sender_->stop();
  }
  sweeper_.reset();
  if (context_->runner != nullptr) {
    context_->runner->stop();
  }
  context_->audit.reset();
}

absl::StatusOr<table::Engine*> Factory::query_engine() {
  const std::scoped_lock lock(engine_mutex_);
  if (engine_ == nullptr) {
    TRY(engine_,
        table::Engine::create({.memory_limit_bytes = context_->options.limits.query_memory_bytes,
                               .temp_directory = context_->home->tmp() / "queries",
                               .temp_limit_bytes = context_->options.limits.temporary_bytes}));
  }
  return engine_.get();
}

base::Json Factory::alert_counts() const {
  base::Json counts = base::Json::object();
  for (const char* state : {"firing", "acknowledged"}) {
    const auto page = context_->metadata->list(
        {.kind = "alert", .filter = fmt::format("state = {}", state), .page_size = 1000});
    counts[state] = page.ok() ? page->documents.size() : 0;
  }
  return counts;
}

base::Json Factory::status() {
  const base::Time now = context_->clock->now();
  const flow::Runner::Counts jobs = context_->runner->counts();
  uint64_t used = 0;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(context_->home->root(), error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code file_error;
    if (entry->is_regular_file(file_error)) {
      used += entry->file_size(file_error);
    }
  }
  const absl::StatusOr<uint64_t> free = context_->files->free_bytes(context_->home->root());
  const absl::StatusOr<store::DocumentPage> endpoints =
      context_->metadata->list({.kind = "endpoint", .page_size = 1000});
  return {{"version", context_->options.version},
          {"alerts", alert_counts()},
          {"started_at", base::format_time(started_at_)},
          {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(now - started_at_).count()},
          {"home", context_->home->root().string()},
          {"http", context_->options.address},
          {"endpoints", endpoints.ok() ? endpoints->documents.size() : 0},
          {"degraded", degraded_json(host_.degraded())},
          {"jobs", {{"running", jobs.running}, {"queued", jobs.queued}}},
          {"audit", audit_json(*context_->audit)},
          {"disk", {{"used_bytes", used}, {"free_bytes", free.value_or(0)}}},
          {"memory_bytes", base::resident_bytes()}};
}

// Not ready where there are endpoints and none of them can be served: one that is damaged must not
// take the traffic from the others, and each has a readiness of its own (Open Inference Protocol).
absl::Status Factory::ready() {
  std::vector<std::string> missing;
  for (const EndpointHost::Degraded& endpoint : host_.degraded()) {
    if (!endpoint.serving) {
      missing.push_back(fmt::format("{}/{}: {}", endpoint.project, endpoint.name, endpoint.reason));
    }
  }
  if (missing.empty() || !registry_.list().empty()) {
    return absl::OkStatus();
  }
  return base::unavailable(fmt::format("no endpoint can be served: {}", fmt::join(missing, "; ")),
                           "deploy another model version to it, or delete it");
}

std::filesystem::path Factory::spool_directory() {
  return context_->home->tmp();
}

std::filesystem::path Factory::new_temporary_file() const {
  return context_->home->tmp() / fmt::format("export-{}", context_->ids->next());
}

absl::Status Factory::announce(const std::string& address, const std::string& owner_token) {
  context_->options.address = address;
  const base::Json document = {{"http", address}, {"token", owner_token}, {"pid", getpid()}};
  return context_->home->announce(base::dump_json(document));
}

}  // namespace cromford::app
