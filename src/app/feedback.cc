// Predictions that were answered and what became of them: the log behind the endpoints.

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/endpoint_log.h"
#include "app/factory.h"
#include "app/import_kind.h"
#include "app/uploads.h"
#include "base/status.h"
#include "base/text.h"
#include "feedback/compaction.h"
#include "serve/outcome_json.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

// What one request's outcomes need until they are on disk.
std::vector<std::string> ids_of(std::span<const feedback::OutcomeRecord> records) {
  std::vector<std::string> ids;
  ids.reserve(records.size());
  for (const feedback::OutcomeRecord& record : records) {
    ids.emplace_back(record.id);
  }
  return ids;
}

base::Json number_or_null(double number) {
  return std::isfinite(number) ? base::Json(number) : base::Json();
}

base::Json raw_value(const table::ColumnSchema& column, double number) {
  if (!std::isfinite(number)) {
    return {};
  }
  if (column.type == table::ColumnType::kBoolean) {
    return number != 0.0;
  }
  if (column.type != table::ColumnType::kDate && column.type != table::ColumnType::kTimestamp) {
    return number;
  }
  const base::Time time(std::chrono::microseconds(std::llround(number * 1e6)));
  const std::string text = base::format_time(time);
  return column.type == table::ColumnType::kDate ? text.substr(0, 10) : text;
}

base::Json row_json(const feedback::Prediction& prediction) {
  base::Json row = base::Json::object();
  size_t number = 0;
  size_t text = 0;
  for (const table::ColumnSchema& column : prediction.layout.columns) {
    if (column.type != table::ColumnType::kText) {
      row[column.name] = raw_value(column, prediction.numbers[number++]);
      continue;
    }
    const std::optional<std::string>& value = prediction.texts[text++];
    row[column.name] = value ? base::Json(*value) : base::Json();
  }
  return row;
}

void add_answer(const feedback::Prediction& prediction, base::Json& out) {
  const std::vector<std::string>& classes = prediction.layout.classes;
  if (classes.empty()) {
    out["value"] = number_or_null(prediction.answer.at(0));
    if (prediction.answer.size() == 3) {
      out["lower"] = number_or_null(prediction.answer[1]);
      out["upper"] = number_or_null(prediction.answer[2]);
    }
    return;
  }
  out["value"] = classes.at(static_cast<size_t>(prediction.label));
  if (classes.size() == 2) {
    out["probability"] = number_or_null(prediction.answer.at(1));
  }
  for (size_t c = 0; c < classes.size(); ++c) {
    out["probabilities"][classes[c]] = number_or_null(prediction.answer.at(c));
  }
}

base::Json outcome_json(const feedback::Outcome& outcome) {
  return {{"value", outcome.is_number ? base::Json(outcome.number) : base::Json(outcome.text)},
          {"at", base::format_time(outcome.at)},
          {"arrived_at", base::format_time(outcome.arrival_time)}};
}

struct Period {
  std::optional<base::Time> from;
  std::optional<base::Time> to;

  bool meets(const feedback::SegmentShare& share) const {
    return (!from || share.last_event >= *from) && (!to || share.first_event < *to);
  }
  std::string condition() const {
    std::vector<std::string> parts;
    if (from) {
      parts.push_back(fmt::format("at >= TIMESTAMP '{}'", sql_time(*from)));
    }
    if (to) {
      parts.push_back(fmt::format("at < TIMESTAMP '{}'", sql_time(*to)));
    }
    return base::join(parts, " AND ");
  }
  // As SQL has it: without the Z that says UTC.
  static std::string sql_time(base::Time time) {
    std::string text = base::format_time(time);
    text.pop_back();
    return text;
  }
};

absl::StatusOr<std::optional<base::Time>> read_time(std::string_view what,
                                                    const std::string& text) {
  if (text.empty()) {
    return std::optional<base::Time>();
  }
  const absl::StatusOr<base::Time> time = base::parse_time(text);
  if (!time.ok()) {
    return base::invalid(fmt::format("'{}' is not a time, in '{}'", text, what),
                         "write a date or a time, like 2001-02-28 or 2001-02-28T10:00:00Z");
  }
  return std::optional<base::Time>(*time);
}

}  // namespace

bool Factory::has_uncommitted_predictions() {
  return context_->predictions->has_uncommitted();
}

void Factory::commit_predictions(std::function<void(absl::Status)> done) {
  context_->predictions->commit(std::move(done));
}

void Factory::add_outcomes(std::string_view project, std::string_view endpoint,
                           std::string_view body,
                           std::function<void(absl::StatusOr<std::string>)> done) {
  const serve::Lease served = registry_.find(project, endpoint);
  if (!served) {
    done(no_such_endpoint(endpoint));
    return;
  }
  thread_local serve::OutcomeBody outcomes;
  if (absl::Status status = outcomes.parse(body, limits()); !status.ok()) {
    done(std::move(status));
    return;
  }
  context_->log->add_outcomes(
      serve::log_key(project, endpoint), serve::outcome_rule(*served), outcomes.records(),
      [done = std::move(done),
       ids = ids_of(outcomes.records())](const absl::StatusOr<feedback::OutcomeReceipt>& receipt) {
        done(receipt.ok() ? absl::StatusOr<std::string>(serve::outcome_answer(*receipt, ids))
                          : receipt.status());
      });
}

absl::StatusOr<base::Json> Factory::start_outcomes(const Caller& caller, const std::string& project,
                                                   const std::string& endpoint,
                                                   const std::string& format,
                                                   const std::string& source_name,
                                                   const std::filesystem::path& spooled_file) {
  TRY(check_import_format(format));
  if (!registry_.find(project, endpoint)) {
    return no_such_endpoint(endpoint);
  }
  const std::string id = context_->ids->next();
  TRY(const std::filesystem::path kept, keep_upload(*context_, spooled_file, id));
  absl::StatusOr<base::Json> job =
      submit({.project = project,
              .kind = "outcomes",
              .title = fmt::format("outcomes of {} from {}", endpoint,
                                   source_name.empty() ? "an upload" : source_name),
              .payload = base::dump_json({{"endpoint", endpoint},
                                          {"input_format", format},
                                          {"source_name", source_name},
                                          {"spooled_file", kept.string()}}),
              .request_id = caller.request_id,
              .id = id});
  if (!job.ok()) {
    drop_upload(*context_, kept);
  }
  return job;
}

absl::StatusOr<Download> Factory::endpoint_log(const std::string& project,
                                               const std::string& endpoint, const std::string& from,
                                               const std::string& to, const std::string& format) {
  TRY(const table::ExportFormat parsed, table::parse_export_format(format));
  Period period;
  TRY(period.from, read_time("from", from));
  TRY(period.to, read_time("to", to));
  if (!registry_.find(project, endpoint)) {
    return no_such_endpoint(endpoint);
  }
  const std::string key = serve::log_key(project, endpoint);
  TRY(context_->log->seal());
  std::vector<uint32_t> segments;
  for (const feedback::SegmentShare& share : context_->log->segments(key)) {
    if (period.meets(share)) {
      segments.push_back(share.segment);
    }
  }
  if (segments.empty()) {
    return base::not_found(fmt::format("no predictions of '{}' are logged in this time", endpoint),
                           "widen --from and --to, or ask the endpoint for predictions first");
  }
  TRY(table::Engine* const engine, query_engine());
  const std::filesystem::path part = new_temporary_file();
  const absl::StatusOr<feedback::CompactedPart> compacted = feedback::compact(
      *context_->log, *engine, {.endpoint = key, .segments = segments, .output = part});
  TRY(compacted);
  absl::StatusOr<Download> download =
      export_rows({.schema = compacted->schema, .parts = {part}}, parsed, period.condition(),
                  fmt::format("{}-log.{}", endpoint, format));
  (void)context_->files->remove(part);
  return download;
}

absl::StatusOr<base::Json> Factory::start_compaction(const Caller& caller,
                                                     const std::string& project,
                                                     const std::string& endpoint) {
  if (!registry_.find(project, endpoint)) {
    return no_such_endpoint(endpoint);
  }
  TRY(read_log_dataset(*context_, project, endpoint));
  flow::NewJob job = compaction_job(project, endpoint);
  job.request_id = caller.request_id;
  return submit(std::move(job));
}

absl::StatusOr<base::Json> Factory::prediction(const std::string& project,
                                               const std::string& endpoint, const std::string& id) {
  TRY(const feedback::FoundPrediction found,
      context_->log->find(serve::log_key(project, endpoint), id));
  const feedback::Prediction& prediction = found.prediction;
  base::Json out = {{"id", prediction.id},
                    {"endpoint", endpoint},
                    {"at", base::format_time(prediction.event_time)},
                    {"arrived_at", base::format_time(prediction.arrival_time)},
                    {"model", prediction.layout.model},
                    {"model_version", prediction.layout.model_version},
                    {"variant", prediction.layout.variant},
                    {"latency_us", prediction.latency_us},
                    {"request_id", prediction.request_id},
                    {"row", row_json(prediction)},
                    {"outcome", nullptr},
                    {"outcome_history", base::Json::array()}};
  add_answer(prediction, out);
  for (size_t i = 0; i < found.outcomes.size(); ++i) {
    if (i == 0) {
      out["outcome"] = outcome_json(found.outcomes[i]);
    } else {
      out["outcome_history"].push_back(outcome_json(found.outcomes[i]));
    }
  }
  return out;
}

}  // namespace cromford::app
