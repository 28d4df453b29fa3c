#include "cli/demo_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "cli/json_fields.h"
#include "cli/names.h"

namespace cromford::cli {
namespace {

constexpr std::string_view kLabel = "late";
constexpr std::string_view kDeparture = "date";

// The value of a field as it was written, which may stay in the object.
std::optional<std::string> look_at_field(const std::string& object, std::string_view name) {
  std::string copy = object;
  return take_field(copy, name);
}

base::Time landing_of(base::Time departed, double miles, bool late) {
  constexpr double kMilesPerMinute = 7;
  const auto flying = std::chrono::minutes(static_cast<int64_t>(miles / kMilesPerMinute));
  return departed + std::chrono::minutes(30) + flying + std::chrono::minutes(late ? 45 : 0);
}

}  // namespace

absl::StatusOr<FlightSource> flight_source(Session& session, const base::Json& model) {
  const base::Json& lineage = field(model, "lineage");
  FlightSource source;
  source.dataset =
      fmt::format("{}@{}", text_field(lineage, "dataset"), text_field(lineage, "dataset_version"));
  TRY(const VersionPath dataset, version_path("datasets", "dataset", source.dataset));
  source.path = dataset.path;
  TRY(const base::Json version, session.get(source.path));
  const base::Json& taken = array_field(model, "columns");
  for (const base::Json& column : array_field(version, "schema")) {
    const std::string name = text_field(column, "name");
    if (name != kLabel && std::none_of(taken.begin(), taken.end(), [&](const base::Json& other) {
          return text_field(other, "name") == name;
        })) {
      source.not_an_input.push_back(name);
    }
  }
  return source;
}

std::optional<FlightRow> flight_of(std::string line, const FlightSource& source) {
  const std::optional<std::string> label = take_field(line, kLabel);
  const std::optional<std::string> departure = look_at_field(line, kDeparture);
  const std::optional<std::string> distance = look_at_field(line, "distance");
  if ((label != "true" && label != "false") || !departure || departure->size() < 2) {
    return std::nullopt;
  }
  const double miles = base::to_number<double>(distance.value_or("")).value_or(0);
  const auto departed = base::parse_time(departure->substr(1, departure->size() - 2));
  if (!departed.ok()) {
    return std::nullopt;
  }
  for (const std::string& name : source.not_an_input) {
    take_field(line, name);
  }
  const bool late = label == "true";
  return FlightRow{.id = "",
                   .inputs = std::move(line),
                   .late = late,
                   .departed = *departed,
                   .landed = landing_of(*departed, miles, late)};
}

absl::StatusOr<std::vector<FlightRow>> flights_between(Session& session, const FlightSource& source,
                                                       const std::string& first_day,
                                                       const std::string& end_day,
                                                       size_t rows_max) {
  TRY(Client* const client, session.client());
  std::vector<FlightRow> rows;
  std::string rest;
  bool readable = true;
  Request request{
      .path = session.in_project(source.path + "/export"),
      .query = {{"format", "jsonl"},
                {"where", fmt::format("date >= '{}' and date < '{}'", first_day, end_day)}}};
  request.sink = [&](std::string_view piece) {
    rest += piece;
    size_t start = 0;
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', start)) {
      std::optional<FlightRow> row = flight_of(rest.substr(start, end - start), source);
      readable = readable && row.has_value();
      if (row && rows.size() < rows_max) {
        row->id = fmt::format("{}-{}", first_day, rows.size() + 1);
        rows.push_back(*std::move(row));
      }
      start = end + 1;
    }
    rest.erase(0, start);
    return true;
  };
  TRY(client->send(request));
  if (!readable || rows.empty()) {
    return base::damaged(fmt::format("the rows of {} are not those of this demo", source.dataset),
                         "delete the dataset and run the demo again");
  }
  return rows;
}

}  // namespace cromford::cli
