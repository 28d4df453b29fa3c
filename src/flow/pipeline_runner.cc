#include "flow/pipeline_runner.h"

#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "flow/pipeline_record.h"

namespace cromford::flow {
namespace {

using base::Json;

constexpr int32_t kRunsKept = 1000;
constexpr auto kProgressInterval = std::chrono::milliseconds(500);

struct Services {
  store::Metadata& metadata;
  Runner& runner;
  base::Clock& clock;
  base::IdSource& ids;
  StepActions& actions;
};

// Why a step has to run although it succeeded before.
std::string what_changed(const StepInputs& now, const StepInputs& before) {
  if (now.settings != before.settings) {
    return "its settings changed";
  }
  if (now.inputs != before.inputs) {
    return "an earlier step gave something new";
  }
  if (now.outside != before.outside) {
    return "what it reads changed, or may have";
  }
  if (now.code_version != before.code_version) {
    return "the version of the program changed";
  }
  return "its output is gone or holds no longer";
}

// One run of one pipeline, from where its record says it is.
class PipelineRun {
 public:
  PipelineRun(const Services& services, const Job& job, const PipelineSpec& spec,
              JobContext& context)
      : services_(services), job_(job), spec_(spec), context_(context) {}

  absl::StatusOr<std::string> run();

 private:
  absl::Status load();
  absl::Status run_step(size_t index);
  absl::Status begin(size_t index, const StepRequest& request);
  absl::StatusOr<bool> skip(StepRecord& step, const StepRequest& request);
  absl::StatusOr<std::string> carry_out(size_t index, const StepRequest& request);
  absl::StatusOr<std::string> wait_for_job(size_t index);
  absl::Status succeed(StepRecord& step, const StepRequest& request, const std::string& output);
  absl::Status end_run(size_t index, const absl::Status& status);
  absl::Status save() {
    return services_.metadata.commit({record_write(job_.project, record_)}).status();
  }
  StepRequest request_for(size_t index) const;
  bool cancelled_by_user() const;
  void tell(size_t index, double fraction);

  const Services& services_;
  const Job& job_;
  const PipelineSpec& spec_;
  JobContext& context_;
  RunRecord record_;
  Json outputs_ = Json::object();
  std::vector<std::string> identities_;
};

absl::Status PipelineRun::load() {
  TRY(std::optional<RunRecord> stored,
      load_record(services_.metadata, job_.project, spec_.name, job_.id));
  if (stored && stored->steps.size() == spec_.steps.size()) {
    record_ = *std::move(stored);
    return absl::OkStatus();
  }
  record_ = new_record(spec_, job_.id, services_.clock.now());
  return save();
}

absl::StatusOr<std::string> PipelineRun::run() {
  TRY(load());
  for (size_t i = 0; i < record_.steps.size(); ++i) {
    StepRecord& step = record_.steps[i];
    absl::Status status;
    if (step.state != "succeeded" && step.state != "skipped") {
      status = context_.cancel().cancelled() ? base::cancelled("it was cancelled") : run_step(i);
    }
    if (!status.ok()) {
      return end_run(i, status);
    }
    absl::StatusOr<Json> output = base::parse_json(step.output);
    outputs_[step.step] = output.ok() ? *std::move(output) : Json();
    identities_.push_back(step.identity);
  }
  record_.state = "succeeded";
  record_.finished_at = services_.clock.now();
  TRY(save());
  Json steps = Json::array();
  for (const StepRecord& step : record_.steps) {
    steps.push_back({{"step", step.step}, {"state", step.state}, {"result", outputs_[step.step]}});
  }
  return base::dump_json(
      Json{{"pipeline", spec_.name}, {"run", record_.id}, {"steps", std::move(steps)}});
}

StepRequest PipelineRun::request_for(size_t index) const {
  return {.project = job_.project,
          .pipeline = spec_.name,
          .run_id = record_.id,
          .step = spec_.steps[index].name,
          .settings = spec_.steps[index].settings,
          .outputs = base::dump_json(outputs_),
          .spec = base::dump_json(to_json(spec_)),
          .job_id = record_.steps[index].planned_job};
}

bool PipelineRun::cancelled_by_user() const {
  const absl::StatusOr<Job> job = services_.runner.get(job_.project, job_.id);
  return job.ok() && job->cancel_requested;
}

void PipelineRun::tell(size_t index, double fraction) {
  Json steps = Json::array();
  for (const StepRecord& step : record_.steps) {
    steps.push_back({{"step", step.step},
                     {"state", step.state},
                     {"reason", step.reason},
                     {"job", step.job.empty() ? Json(nullptr) : Json(step.job)}});
  }
  const double done = static_cast<double>(index) + fraction;
  context_.progress(record_.steps[index].step, done / static_cast<double>(record_.steps.size()),
                    base::dump_json(Json{{"steps", std::move(steps)}}));
}

absl::Status PipelineRun::run_step(size_t index) {
  StepRecord& step = record_.steps[index];
  StepRequest request = request_for(index);
  if (step.state != "running") {
    TRY(begin(index, request));
    if (step.state == "skipped") {
      context_.log(fmt::format("{}: skipped: {}", step.step, step.reason));
      tell(index, 1);
      return absl::OkStatus();
    }
    request.job_id = step.planned_job;
  }
  context_.log(fmt::format("{}: {}", step.step, step.reason));
  tell(index, 0);
  TRY(const std::string output, carry_out(index, request));
  TRY(succeed(step, request, output));
  tell(index, 1);
  return absl::OkStatus();
}

// Decides whether the step is skipped, and writes down what will be done before it is done.
absl::Status PipelineRun::begin(size_t index, const StepRequest& request) {
  StepRecord& step = record_.steps[index];
  step.started_at = services_.clock.now();
  TRY(std::string outside, services_.actions.fingerprint(request));
  step.inputs = {.settings = request.settings,
                 .inputs = identities_,
                 .outside = std::move(outside),
                 .code_version = services_.actions.code_version()};
  TRY(const bool skipped, skip(step, request));
  if (skipped) {
    step.state = "skipped";
    step.finished_at = services_.clock.now();
  } else {
    step.state = "running";
    step.planned_job = services_.ids.next();
  }
  return save();
}

absl::StatusOr<bool> PipelineRun::skip(StepRecord& step, const StepRequest& request) {
  TRY(const std::optional<StepMemory> memory,
      load_memory(services_.metadata, job_.project, spec_.name, step.step));
  if (!memory) {
    step.reason = "it has not succeeded before";
    return false;
  }
  const bool same = memory->hash == step.inputs.hash(step.step);
  if (!same || !services_.actions.is_usable(request, memory->output)) {
    step.reason = what_changed(step.inputs, memory->inputs);
    return false;
  }
  step.reason = fmt::format("nothing has changed since the run {}", memory->run);
  step.output = memory->output;
  step.identity = memory->identity;
  return true;
}

absl::StatusOr<std::string> PipelineRun::carry_out(size_t index, const StepRequest& request) {
  StepRecord& step = record_.steps[index];
  if (step.job.empty() && services_.runner.get(job_.project, step.planned_job).ok()) {
    step.job = step.planned_job;  // Submitted just before a crash.
    TRY(save());
  }
  if (step.job.empty()) {
    TRY(const StepStart start, services_.actions.start(request));
    if (!start.job_id) {
      return start.output;
    }
    step.job = *start.job_id;
    TRY(save());
  }
  return wait_for_job(index);
}

absl::StatusOr<std::string> PipelineRun::wait_for_job(size_t index) {
  const std::string id = record_.steps[index].job;
  Runner& runner = services_.runner;
  while (true) {
    tell(index, runner.get(job_.project, id).value_or(Job()).progress);
    // The machine's clock: this only paces the reports of progress.
    const base::CancelToken token =
        context_.cancel().with_deadline(base::system_clock(), kProgressInterval);
    absl::StatusOr<Job> job = runner.wait(job_.project, id, token);
    if (absl::IsDeadlineExceeded(job.status())) {
      continue;
    }
    if (absl::IsCancelled(job.status()) && cancelled_by_user()) {
      (void)runner.cancel(job_.project, id);  // It may have ended just now.
      job = runner.wait(job_.project, id, {});
      return job.ok() ? base::cancelled("it was cancelled") : job.status();
    }
    TRY(job);
    if (job->state == JobState::kSucceeded) {
      return job->result;
    }
    return job->error.ok() ? base::internal(fmt::format("the job {} gave no reason", id))
                           : job->error;
  }
}

absl::Status PipelineRun::succeed(StepRecord& step, const StepRequest& request,
                                  const std::string& output) {
  step.state = "succeeded";
  step.output = output;
  step.identity = services_.actions.identity(request, output);
  step.finished_at = services_.clock.now();
  const StepMemory memory{.inputs = step.inputs,
                          .hash = step.inputs.hash(step.step),
                          .output = step.output,
                          .identity = step.identity,
                          .run = record_.id};
  return services_.metadata
      .commit({record_write(job_.project, record_),
               memory_write(job_.project, spec_.name, step.step, memory)})
      .status();
}

// Records the failure, unless it is only this server that ends: then the next one goes on.
absl::Status PipelineRun::end_run(size_t index, const absl::Status& status) {
  StepRecord& step = record_.steps[index];
  const bool by_user = cancelled_by_user();
  if (context_.cancel().cancelled() && !by_user) {
    return status;
  }
  const bool cancelled = by_user && context_.cancel().cancelled();
  const absl::Status error = cancelled ? base::cancelled("it was cancelled")
                                       : base::annotate(status, fmt::format("step {}", step.step));
  step.state = cancelled ? "cancelled" : "failed";
  step.reason = base::describe(cancelled ? error : status);
  step.finished_at = services_.clock.now();
  record_.state = step.state;
  record_.error = error;
  record_.finished_at = services_.clock.now();
  for (size_t i = index + 1; i < record_.steps.size(); ++i) {
    record_.steps[i].reason = "the run ended before it";
  }
  if (const absl::Status saved = save(); !saved.ok()) {
    base::log_error("the end of a pipeline's run was not stored",
                    {{"pipeline", spec_.name}, {"error", base::describe(saved)}});
  }
  tell(index, 0);
  return error;
}

// Keeps the newest kRunsKept runs of a pipeline.
void prune_history(store::Metadata& metadata, std::string_view project, std::string_view pipeline) {
  store::ListQuery query;
  query.project = project;
  query.kind = kRunDocumentKind;
  query.name_prefix = document_prefix(pipeline);
  query.order_by = "name desc";
  query.page_size = kRunsKept;
  absl::StatusOr<store::DocumentPage> page = metadata.list(query);
  if (!page.ok() || page->next_page_token.empty()) {
    return;
  }
  query.page_token = page->next_page_token;
  page = metadata.list(query);
  if (page.ok()) {
    for (const store::Document& document : page->documents) {
      (void)metadata.commit({store::Write::remove(document.key)});
    }
  }
}

class PipelineKind final : public InServerKind {
 public:
  explicit PipelineKind(const Services& services) : services_(services) {}
  std::string_view name() const override { return "pipeline"; }

  absl::StatusOr<std::string> run(const Job& job, JobContext& context) override {
    TRY(const Json payload, base::parse_json(job.payload));
    TRY(const PipelineSpec spec, pipeline_from_json(payload));
    const std::string key = fmt::format("{}/{}", job.project, spec.name);
    {
      const std::lock_guard lock(mutex_);
      if (!running_.insert(key).second) {
        return base::conflict(fmt::format("the pipeline '{}' runs already", spec.name),
                              "wait for its run to end, or cancel that");
      }
    }
    absl::StatusOr<std::string> result = PipelineRun(services_, job, spec, context).run();
    prune_history(services_.metadata, job.project, spec.name);
    const std::lock_guard lock(mutex_);
    running_.erase(key);
    return result;
  }

 private:
  const Services services_;
  std::mutex mutex_;
  std::set<std::string> running_;
};

absl::Status remove_all(store::Metadata& metadata, std::string_view project, std::string_view kind,
                        std::string_view pipeline) {
  store::ListQuery query;
  query.project = project;
  query.kind = kind;
  query.name_prefix = document_prefix(pipeline);
  query.page_size = 1000;
  while (true) {
    TRY(const store::DocumentPage page, metadata.list(query));
    std::vector<store::Write> removals;
    removals.reserve(page.documents.size());
    for (const store::Document& document : page.documents) {
      removals.push_back(store::Write::remove(document.key));
    }
    if (removals.empty()) {
      return absl::OkStatus();
    }
    TRY(metadata.commit(removals));
  }
}

}  // namespace

std::unique_ptr<InServerKind> make_pipeline_kind(store::Metadata& metadata, Runner& runner,
                                                 base::Clock& clock, base::IdSource& ids,
                                                 StepActions& actions) {
  return std::make_unique<PipelineKind>(Services{metadata, runner, clock, ids, actions});
}

std::string pipeline_payload(const PipelineSpec& spec) {
  return base::dump_json(to_json(spec));
}

absl::StatusOr<Json> pipeline_history(const store::Metadata& metadata, std::string_view project,
                                      std::string_view pipeline, const HistoryQuery& query) {
  store::ListQuery list;
  list.project = project;
  list.kind = kRunDocumentKind;
  list.name_prefix = document_prefix(pipeline);
  list.filter = query.filter;
  list.order_by = query.order_by.empty() ? "name desc" : query.order_by;
  list.page_size = query.page_size;
  list.page_token = query.page_token;
  TRY(const store::DocumentPage page, metadata.list(list));
  Json runs = Json::array();
  for (const store::Document& document : page.documents) {
    runs.push_back(history_entry(document.body));
  }
  return Json{{"runs", std::move(runs)}, {"next_page_token", page.next_page_token}};
}

absl::Status forget_pipeline(store::Metadata& metadata, std::string_view project,
                             std::string_view pipeline) {
  TRY(remove_all(metadata, project, kStepDocumentKind, pipeline));
  return remove_all(metadata, project, kRunDocumentKind, pipeline);
}

}  // namespace cromford::flow
