// Training runs: the request is checked wholly before a job is made of it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/factory.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "app/train_kind.h"
#include "base/limits.h"
#include "base/name.h"
#include "learn/train.h"
#include "metric/metric.h"
#include "table/sandbox.h"

namespace cromford::app {
namespace {

// The settings of a run as the worker and the run's document know them; defaults filled in.
absl::StatusOr<base::Json> read_settings(const base::Json& request) {
  RequestReader reader(request, "the training request");
  base::Json settings = {
      {"target", reader.text("target")},
      {"where", reader.text_or("where", "")},
      {"task", reader.text_or("task", "")},
      {"metric", reader.text_or("metric", "")},
      {"positive_class", reader.text_or("positive_class", "")},
      {"seed", reader.integer_or("seed", 0, 0, INT64_MAX)},
      {"time_column", reader.text_or("time_column", "")},
      {"group_column", reader.text_or("group_column", "")},
      {"weight_column", reader.text_or("weight_column", "")},
      {"ignore", reader.texts_or_empty("ignore")},
      {"learners", reader.texts_or_empty("learners")},
  };
  RequestReader budget(reader.object_or_empty("budget"), "the budget", "/budget");
  settings["budget"] = {{"time", budget.text_or("time", "")},
                        {"memory", budget.text_or("memory", "")},
                        {"trials", budget.integer_or("trials", 0, 1, 100'000)}};
  budget.finish(reader);
  reader.allow({"dataset", "model"});
  TRY(reader.finish());
  return settings;
}

absl::Status check_budget(const base::Json& budget) {
  const std::string time = budget.value("time", "");
  if (!time.empty()) {
    const auto parsed = base::parse_duration(time);
    if (!parsed.ok() || *parsed < std::chrono::seconds(1) || *parsed > std::chrono::hours(24)) {
      return base::with_field_error(
          base::invalid(fmt::format("'{}' is no time budget", time),
                        "write a duration from 1s to 24h, such as 60s, 5m or 2h"),
          {"/budget/time", "not a duration from 1s to 24h"});
    }
  }
  const std::string memory = budget.value("memory", "");
  if (!memory.empty()) {
    const auto parsed = base::parse_size(memory);
    constexpr uint64_t kMemoryMin = uint64_t{64} << 20;
    if (!parsed.ok() || *parsed < kMemoryMin) {
      return base::with_field_error(
          base::invalid(fmt::format("'{}' is no memory limit", memory),
                        "write a size from 64MiB, such as 512MiB or 4GiB"),
          {"/budget/memory", "not a size from 64MiB"});
    }
  }
  return absl::OkStatus();
}

// The names of the request that are not columns: a run that cannot be is refused before it is a
// job.
absl::Status check_names(const base::Json& settings) {
  const auto checked = [](const absl::Status& status, std::string_view pointer) {
    return status.ok() ? status
                       : base::with_field_error(
                             status, {std::string(pointer), std::string(base::message(status))});
  };
  const std::string task = settings.value("task", std::string());
  if (!task.empty()) {
    TRY(checked(metric::parse_task(task).status(), "/task"));
  }
  if (const std::string name = settings.value("metric", std::string()); !name.empty()) {
    // Where the task is found from the target only later, the measure must be one of some task.
    absl::Status found;
    for (const std::string_view one : {"regression", "multiclass", "binary"}) {
      if (task.empty() || task == one) {
        TRY(const metric::Task of, metric::parse_task(one));
        found = metric::find_metric(name, of).status();
        if (found.ok()) {
          break;
        }
      }
    }
    TRY(checked(found, "/metric"));
  }
  for (const base::Json& learner : settings.at("learners")) {
    TRY(checked(learn::check_learner(learner.get<std::string>()), "/learners"));
  }
  return absl::OkStatus();
}

absl::Status check_columns(const std::string& reference, const base::Json& schema,
                           const base::Json& settings) {
  std::vector<std::string> columns;
  for (const base::Json& column : schema) {
    columns.push_back(column.value("name", std::string()));
  }
  absl::Status status;
  const auto require = [&](const std::string& name, std::string_view pointer) {
    if (name.empty() || std::find(columns.begin(), columns.end(), name) != columns.end()) {
      return;
    }
    const std::string detail = fmt::format("dataset {} has no column '{}'{}", reference, name,
                                           base::did_you_mean(name, columns));
    if (status.ok()) {
      status = base::invalid(detail, fmt::format("its columns are {}", fmt::join(columns, ", ")));
    }
    status = base::with_field_error(std::move(status), {std::string(pointer), detail});
  };
  require(settings.value("target", std::string()), "/target");
  require(settings.value("time_column", std::string()), "/time_column");
  require(settings.value("group_column", std::string()), "/group_column");
  require(settings.value("weight_column", std::string()), "/weight_column");
  for (const base::Json& name : settings.at("ignore")) {
    require(name.get<std::string>(), "/ignore");
  }
  return status;
}

}  // namespace

absl::StatusOr<TrainJob> make_train_job(const Context& context, const std::string& project,
                                        const base::Json& request, const std::string& champion) {
  TRY(base::Json settings, read_settings(request));
  TRY(check_budget(settings["budget"]));
  TRY(check_names(settings));
  RequestReader reader(request, "the training request");
  const std::string reference = reader.text("dataset");
  TRY(reader.status());
  TRY(const Versioned dataset, find_reference(context, "dataset", project, reference));
  TRY(const base::Json body, body_of(dataset.document));
  TRY(check_columns(reference, body.at("schema"), settings));
  if (const std::string where = settings.value("where", std::string()); !where.empty()) {
    TRY(table::check_condition(where));
  }
  std::string model = reader.text_or("model", "");
  if (model.empty()) {
    model = default_model_name(dataset.name, settings.value("target", std::string()));
  }
  TRY(base::check_name("model", model));
  return TrainJob{.model = model,
                  .dataset = dataset.name,
                  .dataset_version = dataset.version,
                  .champion = champion,
                  .settings = std::move(settings)};
}

absl::StatusOr<flow::Job> submit_train_job(const Context& context, const std::string& project,
                                           const TrainJob& train, const std::string& job_id) {
  // The run is known by its job's id, so that submitting twice makes one run.
  const std::string id = job_id.empty() ? context.ids->next() : job_id;
  const std::string dataset = version_name(train.dataset, train.dataset_version);
  const base::Json document = {{"id", id},
                               {"job", id},
                               {"state", "queued"},
                               {"dataset", dataset},
                               {"target", train.settings.at("target")},
                               {"model", train.model},
                               {"settings", train.settings},
                               {"warnings", base::Json::array()},
                               {"trials", base::Json::array()}};
  TRY(const std::vector<store::Write> writes,
      audited(context,
              {store::Write::put({project, "run", id}, base::dump_json(document),
                                 store::kMustNotExist)},
              run_change(project, id, document)));
  absl::Status created = context.metadata->commit(writes).status();
  if (!created.ok() && created.code() != absl::StatusCode::kAlreadyExists) {
    return created;
  }
  const base::Json payload = {{"run", id},
                              {"dataset", train.dataset},
                              {"dataset_version", train.dataset_version},
                              {"model", train.model},
                              {"champion", train.champion},
                              {"settings", train.settings}};
  absl::StatusOr<flow::Job> job =
      context.runner->submit({.project = project,
                              .kind = "train",
                              .title = fmt::format("train {} on {}", train.model, dataset),
                              .payload = base::dump_json(payload),
                              .request_id = train.request_id,
                              .actor = ActingFor::now().actor,
                              .id = id});
  if (!job.ok() && created.ok()) {
    const absl::StatusOr<std::vector<store::Write>> undone =
        audited(context, {store::Write::remove({project, "run", id})},
                run_change(project, id, {{"state", "withdrawn"}}));
    if (undone.ok()) {
      (void)context.metadata->commit(*undone);
    }
  }
  return job;
}

absl::StatusOr<base::Json> Factory::start_run(const Caller& caller, const std::string& project,
                                              const base::Json& request) {
  TRY(TrainJob train, make_train_job(*context_, project, request, ""));
  train.request_id = caller.request_id;
  TRY(const flow::Job job, submit_train_job(*context_, project, train, ""));
  return this->job(project, job.id);
}

absl::StatusOr<base::Json> Factory::list_runs(const std::string& project,
                                              const ListRequest& request) {
  return list_resources(*context_->metadata, project,
                        {.kind = "run", .field = "runs", .order_by = "created_at desc"}, request);
}

absl::StatusOr<base::Json> Factory::run(const std::string& project, const std::string& id) {
  TRY(const store::Document document, context_->metadata->get({project, "run", id}));
  TRY(base::Json resource, resource_of(document));
  return resource;
}

absl::StatusOr<base::Json> Factory::cancel_run(const std::string& project, const std::string& id) {
  TRY(const base::Json resource, run(project, id));
  TRY(context_->runner->cancel(project, resource.value("job", id)));
  return run(project, id);
}

}  // namespace cromford::app
