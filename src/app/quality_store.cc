#include "app/quality_store.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

namespace cromford::app {
namespace {

constexpr const char* kState = "quality";
constexpr const char* kHour = "quality_hour";
constexpr const char* kDay = "quality_day";

base::Json answerer_json(const Answerer& answerer) {
  return {{"model", answerer.model}, {"version", answerer.version}, {"variant", answerer.variant}};
}

Answerer answerer_from(const base::Json& json) {
  return {json.value("model", std::string()), json.value("version", int64_t{0}),
          json.value("variant", std::string())};
}

// Documents of one endpoint stand together, in order of time.
store::DocumentKey cohort_key(const char* kind, const EndpointName& name, const CohortKey& key) {
  return {name.project, kind,
          fmt::format("{}@{:020}@{}@{}@{}", name.endpoint, key.start.time_since_epoch().count(),
                      key.answerer.model, key.answerer.version, key.answerer.variant)};
}

base::Json cohort_json(const CohortKey& key, base::Json counts) {
  base::Json json = answerer_json(key.answerer);
  json["start"] = key.start.time_since_epoch().count();
  json["counts"] = std::move(counts);
  return json;
}

absl::Status for_each_cohort(
    const Context& context, const char* kind, const EndpointName& name,
    const monitor::Period& period,
    const std::function<absl::Status(const CohortKey&, const base::Json&)>& visit) {
  std::string token;
  do {
    TRY(const store::DocumentPage page, context.metadata->list({.project = name.project,
                                                                .kind = kind,
                                                                .name_prefix = name.endpoint + "@",
                                                                .page_size = 1000,
                                                                .page_token = token}));
    for (const store::Document& document : page.documents) {
      TRY(const base::Json json, base::parse_json(document.body));
      const CohortKey key{answerer_from(json),
                          base::Time(std::chrono::microseconds(json.value("start", int64_t{0})))};
      if ((!period.from || key.start >= *period.from) && (!period.to || key.start < *period.to)) {
        TRY(visit(key, json.at("counts")));
      }
    }
    token = page.next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

// What is stored under a key, or nothing.
absl::StatusOr<std::optional<base::Json>> stored_counts(const Context& context,
                                                        const store::DocumentKey& key) {
  const absl::StatusOr<store::Document> document = context.metadata->get(key);
  if (absl::IsNotFound(document.status())) {
    return std::optional<base::Json>();
  }
  TRY(document);
  TRY(base::Json json, base::parse_json(document->body));
  return std::optional<base::Json>(std::move(json.at("counts")));
}

absl::StatusOr<store::Write> hour_write(const Context& context, const EndpointName& name,
                                        const CohortKey& key, const monitor::QualityCounts& added) {
  const store::DocumentKey document = cohort_key(kHour, name, key);
  monitor::QualityCounts counts = added;
  TRY(const std::optional<base::Json> stored, stored_counts(context, document));
  if (stored) {
    TRY(const monitor::QualityCounts before, monitor::quality_counts_from(*stored));
    // Of another task: a model that was deleted and made anew takes the place of the old one.
    if (before.task == counts.task && before.classes == counts.classes) {
      TRY(counts.merge(before));
    }
  }
  return store::Write::put(document, base::dump_json(cohort_json(key, monitor::to_json(counts))));
}

absl::StatusOr<store::Write> day_write(const Context& context, const EndpointName& name,
                                       const CohortKey& key, const monitor::GroupCounts& added) {
  const store::DocumentKey document = cohort_key(kDay, name, key);
  TRY(const std::optional<base::Json> stored, stored_counts(context, document));
  monitor::GroupCounts counts;
  if (stored) {
    TRY(counts, monitor::GroupCounts::from_json(*stored));
  }
  counts.merge(added);
  return store::Write::put(document, base::dump_json(cohort_json(key, counts.to_json())));
}

}  // namespace

absl::StatusOr<QualityState> read_quality_state(const Context& context, const EndpointName& name) {
  QualityState state;
  const absl::StatusOr<store::Document> document =
      context.metadata->get({name.project, kState, name.endpoint});
  if (absl::IsNotFound(document.status())) {
    return state;
  }
  TRY(document);
  TRY(const base::Json json, base::parse_json(document->body));
  state.revision = document->revision;
  TRY(state.cursor, feedback::join_cursor_from(json.at("cursor")));
  for (const base::Json& entry : json.at("changes")) {
    TRY(const monitor::LossChange change, monitor::LossChange::from_json(entry.at("change")));
    state.changes.emplace(answerer_from(entry), change);
  }
  return state;
}

absl::Status commit_quality(const Context& context, const EndpointName& name,
                            const QualityState& state, const QualityTally& tally) {
  base::Json changes = base::Json::array();
  for (const auto& [answerer, change] : state.changes) {
    base::Json entry = answerer_json(answerer);
    entry["change"] = change.to_json();
    changes.push_back(std::move(entry));
  }
  std::vector<store::Write> writes = {store::Write::put(
      {name.project, kState, name.endpoint},
      base::dump_json({{"cursor", feedback::to_json(state.cursor)}, {"changes", changes}}),
      state.revision)};
  for (const auto& [key, counts] : tally.hours) {
    TRY(writes.emplace_back(), hour_write(context, name, key, counts));
  }
  for (const auto& [key, counts] : tally.days) {
    TRY(writes.emplace_back(), day_write(context, name, key, counts));
  }
  return context.metadata->commit(writes).status();
}

absl::StatusOr<std::map<CohortKey, monitor::QualityCounts>> read_quality_hours(
    const Context& context, const EndpointName& name, const monitor::Period& period) {
  std::map<CohortKey, monitor::QualityCounts> hours;
  TRY(for_each_cohort(context, kHour, name, period,
                      [&](const CohortKey& key, const base::Json& json) -> absl::Status {
                        TRY(monitor::QualityCounts counts, monitor::quality_counts_from(json));
                        hours.emplace(key, std::move(counts));
                        return absl::OkStatus();
                      }));
  return hours;
}

absl::StatusOr<std::map<CohortKey, monitor::GroupCounts>> read_quality_days(
    const Context& context, const EndpointName& name, const monitor::Period& period) {
  std::map<CohortKey, monitor::GroupCounts> days;
  TRY(for_each_cohort(context, kDay, name, period,
                      [&](const CohortKey& key, const base::Json& json) -> absl::Status {
                        TRY(monitor::GroupCounts counts, monitor::GroupCounts::from_json(json));
                        days.emplace(key, std::move(counts));
                        return absl::OkStatus();
                      }));
  return days;
}

}  // namespace cromford::app
