#include "app/train_kind.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/dataset_files.h"
#include "app/model_files.h"
#include "app/resources.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/name.h"
#include "base/text.h"
#include "flow/job_store.h"

namespace cromford::app {
namespace {

constexpr int kUpdateAttemptsMax = 16;
constexpr std::chrono::seconds kDefaultTime{60};
// What a run may take beyond its budget before it is killed: it keeps its own time, this is a net.
constexpr std::chrono::seconds kTimeNet{30};

base::Json problem_json(const absl::Status& status) {
  return {{"detail", std::string(base::message(status))}, {"remedy", base::remedy(status)}};
}

// The fields of a run that ended without success.
base::Json run_end(const absl::Status& why, base::Time at) {
  const bool cancelled = why.code() == absl::StatusCode::kCancelled;
  return {{"state", cancelled ? "cancelled" : "failed"},
          {"error", problem_json(why)},
          {"finished_at", base::format_time(at)}};
}

class TrainKind final : public flow::JobKind {
 public:
  explicit TrainKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "train"; }

  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& work_dir) override;
  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view worker_result,
                                     const std::filesystem::path& work_dir) override;
  std::string ended(const flow::Job& job, const absl::Status& why,
                    const std::filesystem::path& work_dir) override;

 private:
  // {"name", "package"} of the model to compare with, or null.
  absl::StatusOr<base::Json> champion_input(const std::string& project,
                                            const base::Json& payload) const;
  // What the package tells of its origin: enough to find the rows again, in another home too.
  base::Json lineage_of(const std::string& project, const base::Json& dataset_version,
                        const base::Json& settings) const;
  absl::Status update_run(const std::string& project, const std::string& run,
                          const base::Json& fields) const;
  // Stores the package as a version, and the run's end with it in one transaction; gives the job's
  // result. What was stored before a crash stays as it is, report and all.
  absl::StatusOr<base::Json> store_model(const flow::Job& job, const base::Json& report,
                                         const std::filesystem::path& package,
                                         const base::Json& end) const;
  absl::StatusOr<std::vector<store::Write>> run_write(const std::string& project,
                                                      const std::string& run,
                                                      const base::Json& fields) const;

  absl::StatusOr<base::Json> checkpoint_report(const std::filesystem::path& work_dir) const;

  Context& context_;
};

absl::Status TrainKind::update_run(const std::string& project, const std::string& run,
                                   const base::Json& fields) const {
  absl::Status status;
  for (int attempt = 0; attempt < kUpdateAttemptsMax; ++attempt) {
    TRY(const std::vector<store::Write> writes, run_write(project, run, fields));
    status = context_.metadata->commit(writes).status();
    if (status.code() != absl::StatusCode::kAborted) {
      return status;
    }
  }
  return status;
}

// The run's document with these fields, over its present revision; its end with an audit entry.
absl::StatusOr<std::vector<store::Write>> TrainKind::run_write(const std::string& project,
                                                               const std::string& run,
                                                               const base::Json& fields) const {
  TRY(const store::Document document, context_.metadata->get({project, "run", run}));
  TRY(base::Json body, body_of(document));
  body.update(fields);
  std::vector<store::Write> writes = {
      store::Write::put(document.key, base::dump_json(body), document.revision)};
  return fields.contains("finished_at")
             ? audited(context_, std::move(writes), run_change(project, run, body))
             : absl::StatusOr<std::vector<store::Write>>(std::move(writes));
}

absl::StatusOr<base::Json> TrainKind::champion_input(const std::string& project,
                                                     const base::Json& payload) const {
  const std::string champion = payload.value("champion", std::string());
  if (champion.empty()) {
    return base::Json();
  }
  TRY(const Versioned version, find_reference(context_, "model", project, champion));
  TRY(const std::filesystem::path package, package_file(context_, version));
  return base::Json{{"name", champion}, {"package", package.string()}};
}

base::Json TrainKind::lineage_of(const std::string& project, const base::Json& dataset_version,
                                 const base::Json& settings) const {
  base::Json sources = base::Json::array();
  for (const base::Json& source : dataset_version.value("sources", base::Json::array())) {
    sources.push_back({{"name", source.value("name", std::string())},
                       {"hash", source.value("hash", std::string())}});
  }
  base::Json lineage = {{"project", project},
                        {"dataset", dataset_version.at("dataset")},
                        {"dataset_version", dataset_version.at("version")},
                        {"content_hash", dataset_version.value("content_hash", std::string())},
                        {"query", dataset_version.value("query", std::string())},
                        {"sources", std::move(sources)},
                        {"where", settings.at("where")},
                        {"seed", settings.at("seed")},
                        {"code_version", context_.options.version}};
  if (!context_.options.commit.empty()) {
    lineage["commit"] = context_.options.commit;
  }
  return lineage;
}

absl::StatusOr<flow::WorkerSpec> TrainKind::prepare(const flow::Job& job,
                                                    const std::filesystem::path& /*work_dir*/) {
  TRY(const base::Json payload, base::parse_json(job.payload));
  const std::string dataset = payload.value("dataset", std::string());
  const int64_t version = payload.value("dataset_version", int64_t{0});
  TRY(const Versioned found,
      find_version(context_, "dataset", job.project, dataset, std::to_string(version)));
  TRY(const table::StoredTable stored, verified_table(context_, found));
  TRY(const base::Json rows, body_of(found.document));
  const base::Json& settings = payload.at("settings");
  const base::Json& budget = settings.at("budget");
  uint64_t memory = context_.options.limits.job_memory_bytes;
  if (const std::string text = budget.value("memory", std::string()); !text.empty()) {
    TRY(memory, base::parse_size(text));
  }
  std::optional<std::chrono::nanoseconds> limit;
  if (const std::string text = budget.value("time", std::string()); !text.empty()) {
    TRY(const std::chrono::nanoseconds time, base::parse_duration(text));
    limit = time + kTimeNet;
  } else if (budget.value("trials", int64_t{0}) == 0) {
    limit = kDefaultTime + kTimeNet;
  }
  TRY(const base::Json champion, champion_input(job.project, payload));
  const base::Json input = {{"table", stored_table_json(stored)},
                            {"settings", settings},
                            {"memory_bytes", memory},
                            {"champion", champion},
                            {"lineage", lineage_of(job.project, rows, settings)}};
  TRY(update_run(job.project, payload.value("run", std::string()),
                 {{"state", "running"},
                  {"job", job.id},
                  {"started_at", base::format_time(context_.clock->now())}}));
  return flow::WorkerSpec{.input = base::dump_json(input),
                          .memory_limit_bytes = memory,
                          .time_limit = limit,
                          .cancel_grace = std::chrono::seconds(10),
                          // The best model so far is kept, and the time was promised once.
                          .retry_when_killed = false};
}

// The fields that the run's document takes from the report.
base::Json run_fields(const base::Json& report) {
  base::Json fields = base::Json::object();
  for (const char* key : {"task", "metric", "split", "trials", "metrics", "baseline_metrics",
                          "warnings", "importance", "ensemble", "calibration", "timing",
                          "cap_struck", "ignored", "comparison", "complete", "ranked_by"}) {
    if (report.contains(key)) {
      fields[key] = report[key];
    }
  }
  return fields;
}

absl::StatusOr<base::Json> TrainKind::store_model(const flow::Job& job, const base::Json& report,
                                                  const std::filesystem::path& package,
                                                  const base::Json& end) const {
  TRY(const base::Json payload, base::parse_json(job.payload));
  const std::string model = payload.value("model", std::string());
  const std::string run = payload.value("run", std::string());
  TRY(int64_t version, version_made_by(context_, "model", job.project, model, job.id));
  if (version > 0) {
    TRY(update_run(job.project, run, end));
    return base::Json{{"run", run}, {"model", model}, {"model_version", version}};
  }
  TRY(const uint64_t size, context_.files->size(package));
  TRY(const base::ContentHash object, context_.objects->put_file(package));
  TRY(base::Json body, model_version_body(report, object.text(), size));
  // Not in the package itself, which is the same whenever the same is trained again.
  body["lineage"]["run"] = run;
  base::Json fields = run_fields(report);
  fields.update(end);
  TRY(version,
      commit_version(context_,
                     {.kind = "model",
                      .project = job.project,
                      .name = model,
                      .made_by = job.id,
                      .make = [&](int64_t) -> absl::StatusOr<VersionBodies> {
                        return VersionBodies{
                            body, {{"task", body.at("task")}, {"target", body.at("target")}}};
                      },
                      .also = [&](int64_t number) -> absl::StatusOr<std::vector<store::Write>> {
                        fields["model_version"] = number;
                        return run_write(job.project, run, fields);
                      }}));
  return base::Json{{"run", run}, {"model", model}, {"model_version", version}};
}

absl::StatusOr<std::string> TrainKind::finish(const flow::Job& job, std::string_view worker_result,
                                              const std::filesystem::path& work_dir) {
  const ActingFor acting(acting_for(job));
  TRY(const base::Json report, base::parse_json(worker_result));
  TRY(const base::Json result,
      store_model(
          job, report, work_dir / "model.package",
          {{"state", "succeeded"}, {"finished_at", base::format_time(context_.clock->now())}}));
  return base::dump_json(result);
}

// The report that a checkpoint was left with, if there is one.
absl::StatusOr<base::Json> TrainKind::checkpoint_report(
    const std::filesystem::path& work_dir) const {
  TRY(const std::string text, context_.files->read(work_dir / "checkpoint.json"));
  return base::parse_json(text);
}

std::string TrainKind::ended(const flow::Job& job, const absl::Status& why,
                             const std::filesystem::path& work_dir) {
  const ActingFor acting(acting_for(job));
  const absl::StatusOr<base::Json> payload = base::parse_json(job.payload);
  if (!payload.ok()) {
    return {};
  }
  const base::Json end = run_end(why, context_.clock->now());
  const std::filesystem::path package = work_dir / "checkpoint.package";
  if (const auto report = checkpoint_report(work_dir);
      report.ok() && context_.files->exists(package)) {
    const absl::StatusOr<base::Json> kept = store_model(job, *report, package, end);
    if (kept.ok()) {
      return base::dump_json(*kept);
    }
    base::log_error("the best model of an ended run was not kept",
                    {{"job", job.id}, {"error", base::describe(kept.status())}});
  }
  const std::string run = payload->value("run", std::string());
  if (const absl::Status status = update_run(job.project, run, end); !status.ok()) {
    // The run's state is brought in from its job when the factory opens next.
    base::log_error("the end of a run was not stored",
                    {{"run", run}, {"error", base::describe(status)}});
  }
  return {};
}

// Gives an unfinished run the end of its job; a run whose job was never made has failed.
absl::Status settle_run(const Context& context, const store::Document& document) {
  TRY(base::Json body, body_of(document));
  const absl::StatusOr<flow::Job> job =
      flow::get_job(*context.metadata, document.key.project, body.value("job", std::string()));
  base::Json end;
  if (absl::IsNotFound(job.status())) {
    end = run_end(base::unavailable("the server ended before the run's job was made",
                                    "start the run once more"),
                  context.clock->now());
  } else if (!job.ok()) {
    return job.status();
  } else if (!flow::is_final(job->state)) {
    return absl::OkStatus();
  } else if (job->state == flow::JobState::kSucceeded) {
    end = {{"state", "succeeded"},
           {"finished_at", base::format_time(job->finished_at.value_or(context.clock->now()))}};
  } else {
    end = run_end(job->error, job->finished_at.value_or(context.clock->now()));
  }
  body.update(end);
  TRY(const std::vector<store::Write> writes,
      audited(context, {store::Write::put(document.key, base::dump_json(body), document.revision)},
              run_change(document.key.project, document.key.name, body)));
  return context.metadata->commit(writes).status();
}

}  // namespace

std::string default_model_name(std::string_view dataset, std::string_view target) {
  std::string name = std::string(dataset) + "-";
  for (const char c : base::lower(target)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    name += fits ? c : '-';
  }
  constexpr size_t kNameMax = 63;
  return name.substr(0, kNameMax);
}

absl::StatusOr<base::Json> model_version_body(const base::Json& report,
                                              const std::string& package_object,
                                              uint64_t package_bytes) {
  base::Json body = base::Json::object();
  for (const char* key :
       {"task",     "target",           "classes",       "positive_class", "columns",  "metric",
        "metrics",  "baseline_metrics", "split",         "importance",     "warnings", "lineage",
        "ensemble", "calibration",      "trials",        "timing",         "ignored",  "comparison",
        "complete", "ranked_by",        "ordinary_drift"}) {
    if (report.contains(key)) {
      body[key] = report[key];
    }
  }
  body["package"] = {{"hash", package_object}, {"size_bytes", package_bytes}};
  return body;
}

absl::Status settle_runs(const Context& context) {
  for (const char* state : {"queued", "running"}) {
    std::string token;
    do {
      TRY(const store::DocumentPage page,
          context.metadata->list({.kind = "run",
                                  .filter = fmt::format("state = {}", state),
                                  .page_size = 1000,
                                  .page_token = token}));
      for (const store::Document& document : page.documents) {
        TRY(settle_run(context, document));
      }
      token = page.next_page_token;
    } while (!token.empty());
  }
  return absl::OkStatus();
}

std::unique_ptr<flow::JobKind> make_train_kind(Context& context) {
  return std::make_unique<TrainKind>(context);
}

}  // namespace cromford::app
