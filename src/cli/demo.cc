#include "cli/demo.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/clock.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/demo_months.h"
#include "cli/demo_report.h"
#include "cli/demo_rows.h"
#include "cli/demo_traffic.h"
#include "cli/handlers.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"
#include "cli/model_tables.h"
#include "cli/names.h"
#include "cli/pipelines.h"
#include "cli/transfer.h"

namespace cromford::cli {
namespace {

constexpr std::string_view kPipeline = "flights-late";
constexpr std::string_view kAnswers = "flights-february-answers";
constexpr std::string_view kPackagePath =
    "vendor/node_modules/vega-datasets/data/flights-3m.parquet";
constexpr size_t kBatchRows = 500;
constexpr size_t kBatchConnections = 4;
constexpr size_t kSingleRows = 5'000;
constexpr size_t kManyRows = 20'000;
constexpr size_t kManyConnections = 8;

// One step of the story, on standard error, as everything that is not its result.
void tell(Session& session, std::string_view text) {
  session.output().note(text);
}

double seconds_since(std::chrono::nanoseconds start) {
  return std::chrono::duration<double>(base::system_clock().monotonic() - start).count();
}

struct Trained {
  VersionPath model;
  base::Json document;  // Of the model version.
  FlightSource flights;
};

absl::StatusOr<Trained> run_line(Session& session, const std::string& yaml) {
  TRY(apply_pipeline_text(session, std::string(kPipeline), yaml, {}));
  tell(session,
       fmt::format("1. the line: pipeline {0} (`cromford pipeline show {0}` prints its file)",
                   kPipeline));
  const absl::StatusOr<base::Json> job = run_pipeline_and_wait(session, std::string(kPipeline));
  TRY(const base::Json history,
      session.get(fmt::format("/pipelines/{}/history", kPipeline), {{"page_size", "1"}}));
  if (!array_field(history, "runs").empty()) {
    print_steps(array_field(history, "runs").front(), session.output());
  }
  TRY(job.status());
  TRY(const base::Json endpoint, session.get(fmt::format("/endpoints/{}", kPipeline)));
  const base::Json& variants = array_field(endpoint, "variants");
  if (variants.empty()) {
    return base::internal("the pipeline has deployed nothing");
  }
  Trained trained;
  TRY(trained.model, version_path("models", "model",
                                  fmt::format("{}@{}", text_field(variants.front(), "model"),
                                              text_field(variants.front(), "model_version"))));
  TRY(trained.document, session.get(trained.model.path));
  TRY(trained.flights, flight_source(session, trained.document));
  return trained;
}

void add_load(TextTable& table, const std::string& what, const LoadResult& load) {
  const double seconds = std::max(load.seconds, 1e-9);
  const auto latency = [&](double level) {
    const double us = load.latency_us(level);
    return Cell(us < 1000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000),
                fmt::format("{:.0f}", us));
  };
  table.add({what, count_cell(static_cast<int64_t>(load.requests)),
             count_cell(static_cast<int64_t>(static_cast<double>(load.requests) / seconds)),
             count_cell(static_cast<int64_t>(static_cast<double>(load.rows) / seconds)),
             latency(0.5), latency(0.9), latency(0.99)});
}

struct Sent {
  std::vector<double> probabilities;
  TextTable table{{{"FEBRUARY OVER HTTP"},
                   {"REQUESTS", Align::kRight},
                   {"REQUESTS/S", Align::kRight},
                   {"ROWS/S", Align::kRight},
                   {"P50", Align::kRight},
                   {"P90", Align::kRight},
                   {"P99", Align::kRight}}};
};

absl::StatusOr<Sent> send_february(Session& session, std::span<const FlightRow> rows) {
  const std::string path = session.in_project(fmt::format("/endpoints/{}", kPipeline));
  Sent sent;
  TRY(LoadResult all,
      send_rows(session, path, rows,
                {.rows_per_request = kBatchRows, .connections = kBatchConnections}));
  add_load(sent.table,
           fmt::format("{} rows a request, {} connections", kBatchRows, kBatchConnections), all);
  TRY(const LoadResult single,
      send_rows(session, path, rows.first(std::min(rows.size(), kSingleRows)), {}));
  add_load(sent.table, "1 row a request, 1 connection", single);
  TRY(const LoadResult many, send_rows(session, path, rows.first(std::min(rows.size(), kManyRows)),
                                       {.connections = kManyConnections}));
  add_load(sent.table, fmt::format("1 row a request, {} connections", kManyConnections), many);
  sent.probabilities = std::move(all.probabilities);
  return sent;
}

// What the endpoint said and what happened, as a dataset that the server can judge.
absl::StatusOr<base::Json> judge(Session& session, const Trained& trained,
                                 std::span<const FlightRow> rows,
                                 std::span<const double> probabilities) {
  std::string csv = "id,probability,late\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    fmt::format_to(std::back_inserter(csv), "{},{},{}\n", rows[i].id, probabilities[i],
                   rows[i].late);
  }
  std::istringstream stream(csv);
  Upload upload{.file = nullptr,
                .stream = &stream,
                .bytes = static_cast<int64_t>(csv.size()),
                .name = "answers.csv",
                .content_type = "text/csv",
                .content_encoding = ""};
  TRY(const base::Json import,
      send_upload(session, upload,
                  {.path = fmt::format("/datasets/{}/versions", kAnswers),
                   .query = {{"mode", "replace"}, {"source_name", upload.name}}},
                  "sending"));
  TRY(const base::Json imported, wait_for_job(session, import, {.what = "joining what happened"}));
  const std::string version = text_field(field(imported, "result"), "version");
  TRY(const base::Json evaluation,
      session.post(trained.model.path + ":evaluate",
                   base::Json::object({{"dataset", fmt::format("{}@{}", kAnswers, version)},
                                       {"prediction_column", "probability"}})));
  return wait_for_job(session, evaluation, {.what = "judging"});
}

// What a model says of the flights of some days, and how right it is, without the endpoint.
absl::StatusOr<base::Json> evaluate(Session& session, const Trained& trained,
                                    const std::string& first_day, const std::string& end_day) {
  TRY(const base::Json evaluation,
      session.post(trained.model.path + ":evaluate",
                   {{"dataset", trained.flights.dataset},
                    {"where", fmt::format("date >= '{}' and date < '{}'", first_day, end_day)}}));
  return wait_for_job(session, evaluation, {.what = "judging"});
}

struct Month {
  std::string first_day;
  std::string end_day;
};
const std::array<Month, 4> kLiveMonths = {{{"2001-03-01", "2001-04-01"},
                                           {"2001-04-01", "2001-05-01"},
                                           {"2001-05-01", "2001-06-01"},
                                           {"2001-06-01", "2001-07-01"}}};

// February is over: its outcomes are told, and the months after it follow as live traffic.
absl::Status live_on(Session& session, const Trained& trained, std::span<const FlightRow> february,
                     const base::Json& judged, const std::string& folder) {
  tell(session,
       "\n4. March to June as live traffic, day after day, with what happened after landing; the "
       "endpoint watches itself");
  LiveMonths live(session, std::string(kPipeline));
  TRY(live.land(february));
  const Quality before = quality_of(field(judged, "result"));
  std::vector<MonthReport> months = {
      {.month = "2001-02", .flights = february.size(), .still = before, .loop = before}};
  for (const Month& month : kLiveMonths) {
    TRY(const std::vector<FlightRow> rows,
        flights_between(session, trained.flights, month.first_day, month.end_day, SIZE_MAX));
    TRY(const std::vector<double> answers, live.send(rows));
    TRY(const base::Json loop, judge(session, trained, rows, answers));
    TRY(const base::Json still, evaluate(session, trained, month.first_day, month.end_day));
    months.push_back({.month = month.first_day.substr(0, 7),
                      .flights = rows.size(),
                      .still = quality_of(field(still, "result")),
                      .loop = quality_of(field(loop, "result"))});
  }
  tell(session, "\n5. the model of January that nobody touched, against the closed loop");
  print_months(months, session.output());
  return folder.empty() ? absl::OkStatus()
                        : write_report(folder, months, live.decisions(), live.alerts());
}

void print_calibration(const base::Json& result, Output& output) {
  if (array_field(result, "reliability").empty()) {
    return;
  }
  output.heading("Calibration: what was predicted, and what happened");
  TextTable table(
      {{"PREDICTED", Align::kRight}, {"HAPPENED", Align::kRight}, {"FLIGHTS", Align::kRight}});
  for (const base::Json& bin : array_field(result, "reliability")) {
    table.add({share_cell(number_field(bin, "mean_prediction").value_or(0)),
               share_cell(number_field(bin, "observed").value_or(0)),
               count_cell(integer_field(bin, "row_count").value_or(0))});
  }
  output.table(table);
}

std::string next_steps(const Session& session, const Trained& trained, const FlightRow& row) {
  const std::string home =
      session.hosts() ? fmt::format(" --home {}", session.home().string()) : std::string();
  std::string text = "\nGo on by hand:\n";
  if (session.hosts()) {
    text += fmt::format("  cromford{} server\n", home);
  }
  text +=
      fmt::format("  curl -s {}{} -d '{{\"rows\":[{}],\"explain\":3}}'\n",
                  session.hosts() ? "http://127.0.0.1:7040" : session.url(),
                  session.in_project(fmt::format("/endpoints/{}:predict", kPipeline)), row.inputs);
  text += fmt::format(
      "\nWhat to try next:\n"
      "  # what the endpoint saw, how right it was, and what it did about it\n"
      "  cromford{0} monitor show {3}\n"
      "  cromford{0} endpoint history {3}\n"
      "  # three months instead of one, five minutes instead of one\n"
      "  cromford{0} train {2} --target late --where \"date < '2001-04-01'\" "
      "--time-column date --ignore date --time 5m --model {1}\n"
      "  # what the model is, for those who must answer for it\n"
      "  cromford{0} model card {1}\n",
      home, trained.model.name, trained.flights.dataset, kPipeline);
  return text;
}

absl::Status demo_flights(const Invocation& call, Session& session) {
  const auto start = base::system_clock().monotonic();
  TRY(const std::filesystem::path data, find_flights(call.text("--data"), session.environment()));
  TRY(const std::string yaml, flights_pipeline_for(data, call.text("--time")));
  TRY(session.client());
  if (!session.server_reads_our_files()) {
    return base::invalid("the demo's raw file lies here, and --url leads to another machine",
                         "run the demo without --url");
  }
  tell(session,
       "Which flights arrive at least 15 minutes late? 3,000,000 flights within the US, "
       "January to June 2001.\n");
  TRY(const Trained trained, run_line(session, yaml));
  const double line_s = seconds_since(start);
  tell(session, fmt::format("\n2. February, which the model has never seen, is sent to the endpoint"
                            " {}",
                            kPipeline));
  TRY(const std::vector<FlightRow> rows,
      flights_between(session, trained.flights, "2001-02-01", "2001-03-01",
                      static_cast<size_t>(call.integer("--rows", INT64_MAX))));
  TRY(const Sent sent, send_february(session, rows));
  session.output().table(sent.table);
  tell(session, "\n3. what happened is joined, and the server judges the answers");
  TRY(const base::Json judged, judge(session, trained, rows, sent.probabilities));
  const base::Json& result = field(judged, "result");
  Output& output = session.output();
  output.document(judged);
  print_metrics(result, output);
  print_calibration(result, output);
  print_importance(trained.document, output, 10);
  if (!call.switched_on("--february-only")) {
    TRY(live_on(session, trained, rows, judged, call.text("--report")));
  }
  tell(session,
       fmt::format("\n{} rows in, {}@{} trained and deployed in {}, {} flights answered "
                   "and judged; {} in all",
                   with_thousands(3'000'000), trained.model.name, trained.model.version,
                   seconds_cell(line_s).shown, with_thousands(static_cast<int64_t>(rows.size())),
                   seconds_cell(seconds_since(start)).shown));
  tell(session, next_steps(session, trained, rows.front()));
  return absl::OkStatus();
}

bool replace_once(std::string& text, std::string_view from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) {
    return false;
  }
  text.replace(at, from.size(), to);
  return true;
}

}  // namespace

absl::StatusOr<std::string> flights_pipeline_for(const std::filesystem::path& data,
                                                 std::string_view time) {
  std::string yaml(flights_pipeline());
  // Quoted as JSON, which YAML understands.
  bool found = replace_once(yaml, "{file: flights-3m.parquet}",
                            fmt::format("{{file: {}}}", base::dump_json(data.string())));
  if (!time.empty()) {
    found = replace_once(yaml, "{time: 60s,", fmt::format("{{time: {},", time)) && found;
  }
  return found ? absl::StatusOr<std::string>(std::move(yaml))
               : base::internal("the pipeline file of the demo has changed its form");
}

absl::StatusOr<std::filesystem::path> find_flights(const std::string& named,
                                                   const Environment& environment) {
  std::error_code error;
  if (!named.empty()) {
    if (!std::filesystem::is_regular_file(named, error)) {
      return base::not_found(fmt::format("there is no file {}", named), "check --data");
    }
    return std::filesystem::absolute(named).lexically_normal();
  }
  // In the repository the program lies in build/PRESET/src/main.
  std::vector<std::filesystem::path> roots = {std::filesystem::current_path(error)};
  std::filesystem::path folder = environment.executable.parent_path();
  for (int i = 0; i < 5 && !folder.empty(); ++i) {
    roots.push_back(folder);
    folder = folder.parent_path();
  }
  for (const std::filesystem::path& root : roots) {
    if (std::filesystem::is_regular_file(root / kPackagePath, error)) {
      return root / kPackagePath;
    }
  }
  return base::not_found(
      "the flights (flights-3m.parquet, 13 MB) are not on this machine",
      "npm install --ignore-scripts vega-datasets@3.2.1, then cromford demo flights --data "
      "node_modules/vega-datasets/data/flights-3m.parquet");
}

absl::Status demo(const Invocation& call, Session& session) {
  Output& output = session.output();
  const std::string name = call.positional(0);
  if (name.empty()) {
    output.document(base::Json::object(
        {{"demos", base::Json::array({base::Json::object({{"name", "flights"}})})}}));
    TextTable table({{"NAME"}, {"SHOWS", Align::kLeft, true}});
    table.add({"flights",
               "3,000,000 real flights: the whole line, from a raw file to answers over HTTP"});
    output.table(table);
    output.note("run one: cromford demo flights");
    return absl::OkStatus();
  }
  if (name != "flights") {
    return base::not_found(fmt::format("there is no demo '{}'", name), "there is: flights");
  }
  return demo_flights(call, session);
}

}  // namespace cromford::cli
