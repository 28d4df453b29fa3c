#include "app/endpoint_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "app/dataset_files.h"
#include "app/resources.h"
#include "base/hash.h"
#include "base/name.h"
#include "base/text.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr std::string_view kSuffix = "-log";
constexpr size_t kHashDigits = 8;
// A part is not larger, so that one late outcome does not make a job rewrite a year.
constexpr int64_t kPartRowsMax = 1'000'000;
// A smaller one is made again together with what is new, so that hours do not stay parts.
constexpr int64_t kSmallPartRows = kPartRowsMax / 4;
constexpr std::chrono::hours kDueAfter{1};
// Of one job: about a minute of work, and 3 GB of temporary files at 300 bytes a row.
constexpr int64_t kJobRowsMax = 10'000'000;

// What is to be made again, or for the first time.
struct Item {
  std::vector<uint32_t> segments;
  int64_t rows = 0;
  std::optional<size_t> part;  // That it takes the place of.
  bool due = false;            // Not only small.
};

using Shares = std::map<uint32_t, int64_t>;  // Rows by segment.

bool are_there(const std::vector<uint32_t>& segments, const Shares& shares) {
  return std::all_of(segments.begin(), segments.end(),
                     [&](uint32_t segment) { return shares.contains(segment); });
}

std::vector<Item> items_of(std::span<const LogPart> parts, const Shares& shares) {
  std::vector<Item> items;
  std::set<uint32_t> covered;
  for (size_t i = 0; i < parts.size(); ++i) {
    covered.insert(parts[i].segments.begin(), parts[i].segments.end());
    const bool is_late = parts[i].late_outcomes > 0;
    if ((is_late || parts[i].part.row_count < kSmallPartRows) &&
        are_there(parts[i].segments, shares)) {
      items.push_back({parts[i].segments, parts[i].part.row_count, i, is_late});
    }
  }
  for (const auto& [segment, rows] : shares) {
    if (!covered.contains(segment)) {
      items.push_back({{segment}, rows, std::nullopt, true});
    }
  }
  return items;
}

// What fits, in order: first what is due, so that each job comes further, then what is small.
std::vector<Item> chosen_items(const std::vector<Item>& items, int64_t rows_max,
                               CompactionPlan& plan) {
  std::vector<Item> chosen;
  for (const bool due : {true, false}) {
    if (!due && chosen.empty()) {
      break;  // Nothing is new.
    }
    for (const Item& item : items) {
      if (item.due != due) {
        continue;
      }
      if (plan.row_count > 0 && plan.row_count + item.rows > rows_max) {
        plan.row_count_left += due ? item.rows : 0;
        continue;
      }
      plan.row_count += item.rows;
      chosen.push_back(item);
    }
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const Item& a, const Item& b) {
    return a.segments.front() < b.segments.front();
  });
  return chosen;
}

}  // namespace

std::string log_dataset_name(std::string_view endpoint) {
  if (endpoint.size() + kSuffix.size() <= kNameBytesMax) {
    return fmt::format("{}{}", endpoint, kSuffix);
  }
  const std::string hash =
      base::content_hash(std::as_bytes(std::span(endpoint.data(), endpoint.size()))).text();
  return fmt::format("{}-{}{}",
                     endpoint.substr(0, kNameBytesMax - kSuffix.size() - kHashDigits - 1),
                     hash.substr(0, kHashDigits), kSuffix);
}

base::Json to_json(const LogPart& part) {
  return {{"object", part.part.object},         {"row_count", part.part.row_count},
          {"size_bytes", part.part.size_bytes}, {"content_hash", part.part.content_hash},
          {"schema", schema_json(part.schema)}, {"profile", part.profile_object},
          {"segments", part.segments},          {"late_outcomes", part.late_outcomes}};
}

absl::StatusOr<LogPart> log_part_from(const base::Json& json) {
  LogPart part;
  part.part = {.object = json.value("object", std::string()),
               .row_count = json.value("row_count", int64_t{0}),
               .size_bytes = json.value("size_bytes", uint64_t{0}),
               .content_hash = json.value("content_hash", std::string())};
  TRY(part.schema, schema_from(json.at("schema")));
  part.profile_object = json.value("profile", std::string());
  part.segments = json.at("segments").get<std::vector<uint32_t>>();
  part.late_outcomes = json.value("late_outcomes", uint64_t{0});
  return part;
}

bool is_log_version(const base::Json& version_body) {
  const auto internal = version_body.find("internal");
  return internal != version_body.end() && internal->contains("log");
}

absl::StatusOr<LogDataset> read_log_dataset(const Context& context, const std::string& project,
                                            const std::string& endpoint) {
  LogDataset dataset;
  const std::string name = log_dataset_name(endpoint);
  const absl::StatusOr<store::Document> thing = context.metadata->get({project, "dataset", name});
  if (absl::IsNotFound(thing.status())) {
    return dataset;
  }
  TRY(thing);
  TRY(const Versioned newest, find_version(context, "dataset", project, name, "latest"));
  TRY(const base::Json body, body_of(newest.document));
  if (!is_log_version(body) || body.value("endpoint", std::string()) != endpoint) {
    return base::refused(
        fmt::format("the dataset '{}' is not the log of endpoint '{}'", name, endpoint),
        "its name is needed for that: import its rows under another name, and delete it");
  }
  const base::Json& log = body.at("internal").at("log");
  dataset.version = newest.version;
  dataset.made_at = newest.document.created_at;
  TRY(dataset.schema, schema_from(body.at("schema")));
  dataset.outcomes_through = log.value("outcomes_through", uint32_t{0});
  dataset.outcomes_seen = log.value("outcomes_seen", uint64_t{0});
  for (const base::Json& part : log.at("parts")) {
    TRY(dataset.parts.emplace_back(), log_part_from(part));
  }
  return dataset;
}

CompactionPlan plan_compaction(std::span<const LogPart> parts,
                               std::span<const feedback::SegmentShare> segments, int64_t rows_max) {
  Shares shares;
  for (const feedback::SegmentShare& share : segments) {
    shares[share.segment] = static_cast<int64_t>(share.predictions);
  }
  CompactionPlan plan;
  int64_t group_rows = 0;
  for (const Item& item : chosen_items(items_of(parts, shares), rows_max, plan)) {
    if (plan.groups.empty() || group_rows + item.rows > kPartRowsMax) {
      plan.groups.emplace_back();
      group_rows = 0;
    }
    plan.groups.back().insert(plan.groups.back().end(), item.segments.begin(), item.segments.end());
    group_rows += item.rows;
    if (item.part.has_value()) {
      plan.replaced.push_back(*item.part);
    }
  }
  std::sort(plan.replaced.begin(), plan.replaced.end());
  return plan;
}

absl::StatusOr<bool> compaction_is_due(const Context& context, const std::string& project,
                                       const std::string& endpoint) {
  const std::string key = serve::log_key(project, endpoint);
  const std::vector<feedback::SegmentShare> shares = context.log->segments(key);
  if (shares.empty()) {
    return false;
  }
  TRY(const LogDataset dataset, read_log_dataset(context, project, endpoint));
  const base::Time now = context.clock->now();
  std::set<uint32_t> covered;
  for (const LogPart& part : dataset.parts) {
    covered.insert(part.segments.begin(), part.segments.end());
  }
  int64_t rows = 0;
  for (const feedback::SegmentShare& share : shares) {
    if (!covered.contains(share.segment)) {
      rows += static_cast<int64_t>(share.predictions);
      if (share.last_arrival + kDueAfter <= now) {
        return true;
      }
    }
  }
  const feedback::EndpointStatistics counts = context.log->statistics(key);
  const bool has_outcomes = counts.joined + counts.corrections != dataset.outcomes_seen;
  return rows >= kSmallPartRows || (has_outcomes && dataset.made_at + kDueAfter <= now);
}

flow::NewJob compaction_job(const std::string& project, const std::string& endpoint) {
  return {
      .project = project,
      .kind = "compact",
      .title = fmt::format("the log of {} into dataset {}", endpoint, log_dataset_name(endpoint)),
      .payload = base::dump_json({{"endpoint", endpoint},
                                  {"dataset", log_dataset_name(endpoint)},
                                  {"rows_max", kJobRowsMax}})};
}

}  // namespace cromford::app
