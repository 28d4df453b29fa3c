// What is watched over an endpoint, as tables and as lines of bars.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/name.h"
#include "base/status.h"
#include "cli/handlers.h"
#include "cli/json_fields.h"
#include "cli/names.h"

namespace cromford::cli {
namespace {

constexpr std::chrono::seconds kLookAgain{5};
constexpr std::string_view kClearScreen = "\x1b[2J\x1b[H";

// A line of bars, the highest for the largest value; a blank where there is none.
std::string sparkline(const std::vector<std::optional<double>>& values) {
  static constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double largest = 0;
  for (const std::optional<double>& value : values) {
    largest = std::max(largest, value.value_or(0));
  }
  std::string line;
  for (const std::optional<double>& value : values) {
    if (!value) {
      line += " ";
      continue;
    }
    const double part = largest > 0 ? *value / largest : 0;
    line += kBars[static_cast<size_t>(std::lround(part * static_cast<double>(kBars.size() - 1)))];
  }
  return line;
}

// How far the distribution that is farthest from its training is, in units of what is ordinary.
std::optional<double> farthest(const base::Json& version) {
  std::optional<double> largest;
  const base::Json& drift = field(version, "drift");
  for (const char* family : {"prediction", "columns"}) {
    for (const base::Json& each : array_field(drift, family)) {
      const double ordinary = number_field(each, "ordinary").value_or(0);
      if (bool_field(each, "judged") && ordinary > 0) {
        largest =
            std::max(largest.value_or(0), number_field(each, "effect").value_or(0) / ordinary);
      }
    }
  }
  return largest;
}

Cell drift_cell(const base::Json& drift) {
  const std::string state = text_field(drift, "state");
  if (state == "confirmed") {
    return coloured(state, Colour::kRed);
  }
  if (state == "suspected") {
    return coloured(state, Colour::kYellow);
  }
  return state == "steady" ? coloured(state, Colour::kGreen) : Cell(state);
}

Cell share_of(const base::Json& inputs, std::string_view name) {
  const auto share = number_field(inputs, name);
  return share ? share_cell(*share) : Cell("");
}

// The row of a version in a window.
std::vector<Cell> row_of(const base::Json& window, const base::Json& version) {
  const base::Json& inputs = field(version, "inputs");
  const base::Json& drift = field(version, "drift");
  const auto confidence = number_field(field(version, "prediction"), "confidence");
  return {time_cell(text_field(window, "start")),
          fmt::format("{}@{}{}", text_field(version, "model"), text_field(version, "model_version"),
                      bool_field(version, "shadow") ? " shadow" : ""),
          count_cell(integer_field(version, "rows").value_or(0)),
          count_cell(integer_field(version, "errors").value_or(0)),
          text_field(field(version, "latency_us"), "p99"),
          share_of(inputs, "missing"),
          share_of(inputs, "unseen"),
          confidence ? share_cell(*confidence) : Cell(""),
          drift_cell(drift),
          text_field(drift, "summary")};
}

void print_lines(const base::Json& windows, Output& output) {
  std::vector<std::optional<double>> rows;
  std::vector<std::optional<double>> errors;
  std::vector<std::optional<double>> drift;
  for (const base::Json& window : windows) {
    rows.push_back(number_field(window, "rows"));
    std::optional<double> failed;
    std::optional<double> moved;
    for (const base::Json& version : array_field(window, "versions")) {
      if (!bool_field(version, "shadow")) {
        failed = failed.value_or(0) + number_field(version, "errors").value_or(0);
        if (const auto far = farthest(version)) {
          moved = std::max(moved.value_or(0), *far);
        }
      }
    }
    errors.push_back(failed);
    drift.push_back(moved);
  }
  output.line("");
  output.line(fmt::format("rows    {}", sparkline(rows)));
  output.line(fmt::format("errors  {}", sparkline(errors)));
  output.line(fmt::format("drift   {}", sparkline(drift)));
}

// "0.7312 (0.72 to 0.74)"; empty where it is not known.
std::string figure_of(const base::Json& estimate) {
  const auto value = number_field(estimate, "value");
  return value ? fmt::format("{:.4f} ({:.4f} to {:.4f})", *value,
                             number_field(estimate, "lower").value_or(0),
                             number_field(estimate, "upper").value_or(0))
               : std::string();
}

// The first measure of the task, measured and estimated, for each window with outcomes.
void print_quality(const base::Json& view, Output& output) {
  const base::Json& measured = array_field(field(view, "quality"), "windows");
  const base::Json& estimated = array_field(field(view, "estimate"), "windows");
  TextTable table({{"WINDOW"},
                   {"VERSION"},
                   {"OUTCOMES", Align::kRight},
                   {"STATE"},
                   {"METRIC"},
                   {"MEASURED"},
                   {"ESTIMATED"}});
  for (size_t i = 0; i < measured.size(); ++i) {
    const base::Json& window = measured[i];
    const base::Json& metrics = field(window, "metrics");
    const char* const name = metrics.contains("rmse") ? "rmse" : "log_loss";
    const base::Json& estimate =
        i < estimated.size() ? field(field(estimated[i], "metrics"), name) : base::Json();
    table.add(
        {time_cell(text_field(window, "start")),
         fmt::format("{}@{}", text_field(window, "model"), text_field(window, "model_version")),
         share_cell(number_field(window, "coverage").value_or(0)), text_field(window, "state"),
         name, figure_of(field(metrics, name)), figure_of(estimate)});
  }
  if (table.row_count() > 0) {
    output.heading("Quality");
    output.table(table);
  }
  for (const base::Json& change : array_field(field(view, "quality"), "changes")) {
    if (text_field(change, "state") == "worse") {
      output.warning(fmt::format("the loss of {}@{} has grown since {}",
                                 text_field(change, "model"), text_field(change, "model_version"),
                                 text_field(change, "since")));
    }
  }
  for (const base::Json& segment : array_field(view, "segments")) {
    output.line(fmt::format("worse than the rest: {} = {} (loss {:.4f} against {:.4f})",
                            text_field(segment, "column"), text_field(segment, "value"),
                            number_field(segment, "loss").value_or(0),
                            number_field(segment, "loss_of_others").value_or(0)));
  }
}

void print_monitor(const base::Json& view, Output& output) {
  const base::Json& windows = array_field(view, "windows");
  TextTable table({{"WINDOW"},
                   {"VERSION"},
                   {"ROWS", Align::kRight},
                   {"ERRORS", Align::kRight},
                   {"P99 US", Align::kRight},
                   {"MISSING", Align::kRight},
                   {"UNSEEN", Align::kRight},
                   {"CONFIDENCE", Align::kRight},
                   {"DRIFT"},
                   {"WHAT MOVED", Align::kLeft, true}});
  for (const base::Json& window : windows) {
    for (const base::Json& version : array_field(window, "versions")) {
      table.add(row_of(window, version));
    }
  }
  output.table(table);
  if (table.row_count() == 0) {
    output.note("nothing was counted in this time");
    return;
  }
  if (output.for_people()) {
    print_lines(windows, output);
    print_quality(view, output);
  }
  output.note(fmt::format("windows of {}; the clock of the endpoint is at {}",
                          text_field(view, "window"), text_field(view, "watermark")));
}

}  // namespace

absl::Status monitor_show(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("endpoint", name));
  Output& output = session.output();
  const bool watches = call.switched_on("--watch");
  if (watches && output.json()) {
    return base::invalid("--watch shows one table after the other, and --json is one document",
                         "leave one of them out");
  }
  while (true) {
    const absl::StatusOr<base::Json> view =
        session.get("/endpoints/" + name + "/monitor", {{"from", call.text("--from")},
                                                        {"to", call.text("--to")},
                                                        {"window", call.text("--window")}});
    if (!view.ok()) {
      return with_nearest_name(view.status(), session, "endpoints", name);
    }
    if (watches && output.for_people()) {
      output.raw(kClearScreen);
    }
    output.document(*view);
    print_monitor(*view, output);
    if (!watches) {
      return absl::OkStatus();
    }
    session.environment().sleep(kLookAgain);
  }
}

absl::Status alert_list(const Invocation& call, Session& session) {
  const std::string filter = call.given("--filter") ? call.text("--filter") : "open = true";
  TRY(const base::Json answer,
      session.list("/alerts", "alerts", {{"filter", filter}, {"order_by", call.text("--order-by")}},
                   list_limit(call)));
  Output& output = session.output();
  output.document(answer);
  TextTable table(
      {{"ID"}, {"STATE"}, {"RULE"}, {"ENDPOINT"}, {"SINCE"}, {"WHAT", Align::kLeft, true}});
  for (const base::Json& alert : array_field(answer, "alerts")) {
    const std::string state = text_field(alert, "state");
    table.add({text_field(alert, "id"),
               coloured(state, state == "firing"     ? Colour::kRed
                               : state == "resolved" ? Colour::kGreen
                                                     : Colour::kYellow),
               text_field(alert, "rule"), text_field(alert, "endpoint"),
               time_cell(text_field(alert, "since")), text_field(alert, "what")});
  }
  output.table(table);
  if (table.row_count() == 0) {
    output.note("no alerts");
  } else if (output.for_people()) {
    output.note(fmt::format("\nwhat to do: {}",
                            text_field(array_field(answer, "alerts").front(), "remedy")));
  }
  return absl::OkStatus();
}

absl::Status alert_ack(const Invocation& call, Session& session) {
  const std::string id = call.positional(0);
  TRY(const base::Json alert, session.post("/alerts/" + id + ":acknowledge", base::Json::object()));
  session.output().document(alert);
  session.output().line(fmt::format("{}\t{}", id, text_field(alert, "state")));
  return absl::OkStatus();
}

}  // namespace cromford::cli
