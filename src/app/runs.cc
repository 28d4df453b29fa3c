// Training runs: the request is checked wholly before a job is made of it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/factory.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "base/limits.h"
#include "base/name.h"

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
                        {"trials", budget.integer_or("trials", 0, 0, 100'000)}};
  budget.finish(reader);
  reader.allow({"dataset", "model"});
  TRY(reader.finish());
  return settings;
}

absl::Status check_budget(const base::Json& budget, uint64_t memory_max) {
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
    (void)memory_max;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<base::Json> Factory::start_run(const std::string& project,
                                              const base::Json& request) {
  TRY(base::Json settings, read_settings(request));
  TRY(check_budget(settings["budget"], context_->options.job_memory_bytes));
  RequestReader reader(request, "the training request");
  const std::string reference = reader.text("dataset");
  TRY(reader.status());
  TRY(const Versioned dataset, find_reference(*context_, "dataset", project, reference));
  TRY(const base::Json body, body_of(dataset.document));
  std::vector<std::string> columns;
  for (const base::Json& column : body.at("schema")) {
    columns.push_back(column.value("name", ""));
  }
  const std::string target = settings["target"];
  if (std::find(columns.begin(), columns.end(), target) == columns.end()) {
    return base::with_field_error(
        base::invalid(fmt::format("dataset {} has no column '{}' to predict", reference, target),
                      base::did_you_mean(target, columns)),
        {"/target", "no such column"});
  }
  std::string model = reader.text_or("model", "");
  if (model.empty()) {
    model = default_model_name(dataset.name, target);
  }
  TRY(base::check_name("model", model));

  const std::string id = context_->ids->next();
  const std::string dataset_name = version_name(dataset.name, dataset.version);
  const base::Json document = {{"id", id},
                               {"state", "queued"},
                               {"dataset", dataset_name},
                               {"target", target},
                               {"model", model},
                               {"settings", settings},
                               {"warnings", base::Json::array()},
                               {"trials", base::Json::array()}};
  TRY(context_->metadata->commit(
      {store::Write::put({project, "run", id}, base::dump_json(document), store::kMustNotExist)}));
  const base::Json payload = {{"run", id},
                              {"dataset", dataset.name},
                              {"dataset_version", dataset.version},
                              {"model", model},
                              {"settings", settings}};
  absl::StatusOr<flow::Job> job =
      context_->runner->submit({.project = project,
                                .kind = "train",
                                .title = fmt::format("train {} on {}", model, dataset_name),
                                .payload = base::dump_json(payload)});
  if (!job.ok()) {
    (void)context_->metadata->commit({store::Write::remove({project, "run", id})});
    return job.status();
  }
  return this->job(project, job->id);
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
  const std::string job = resource.value("job", "");
  if (job.empty()) {
    return base::refused(fmt::format("run {} has not been started yet", id),
                         "try again in a moment");
  }
  TRY(context_->runner->cancel(project, job));
  return run(project, id);
}

}  // namespace cromford::app
