#include "cli/demo_months.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"

namespace cromford::cli {
namespace {

constexpr LoadOptions kBatches = {.rows_per_request = 500, .connections = 4};

// The stages in which a job does the work.
constexpr std::array<std::string_view, 4> kWork = {"collecting", "choosing", "training", "judging"};

// "2001-03-14", of a time in RFC 3339.
std::string day_of(const std::string& time) {
  return time.substr(0, std::min<size_t>(10, time.size()));
}

}  // namespace

base::Time day_after(base::Time time) {
  return std::chrono::floor<std::chrono::days>(time) + std::chrono::days(1);
}

LiveMonths::LiveMonths(Session& session, const std::string& endpoint)
    : session_(session), endpoint_(fmt::format("/endpoints/{}", endpoint)) {}

absl::StatusOr<std::vector<double>> LiveMonths::send(std::span<const FlightRow> flights) {
  std::vector<double> probabilities;
  while (!flights.empty()) {
    const base::Time evening = day_after(flights.front().departed);
    const auto end = std::find_if(flights.begin(), flights.end(), [&](const FlightRow& flight) {
      return flight.departed >= evening;
    });
    const auto today = flights.first(static_cast<size_t>(end - flights.begin()));
    session_.output().progress(fmt::format("{}  {} flights",
                                           day_of(base::format_time(today.front().departed)),
                                           with_thousands(static_cast<int64_t>(today.size()))));
    TRY(const LoadResult sent,
        send_rows(session_, session_.in_project(endpoint_), today, kBatches));
    probabilities.insert(probabilities.end(), sent.probabilities.begin(), sent.probabilities.end());
    in_the_air_.insert(in_the_air_.end(), today.begin(), today.end());
    TRY(tell_landed(evening));
    TRY(look());
    flights = flights.subspan(today.size());
  }
  session_.output().progress("");
  return probabilities;
}

absl::Status LiveMonths::land(std::span<const FlightRow> flights) {
  in_the_air_.insert(in_the_air_.end(), flights.begin(), flights.end());
  TRY(tell_landed(day_after(flights.back().departed)));
  return look();
}

absl::Status LiveMonths::tell_landed(base::Time until) {
  const auto landed =
      std::stable_partition(in_the_air_.begin(), in_the_air_.end(),
                            [&](const FlightRow& flight) { return flight.landed > until; });
  TRY(send_outcomes(session_, session_.in_project(endpoint_), {landed, in_the_air_.end()}));
  in_the_air_.erase(landed, in_the_air_.end());
  return absl::OkStatus();
}

absl::Status LiveMonths::look() {
  constexpr int kRoundsMax = 50;  // A run of the loop has a handful of jobs, one after the other.
  for (int round = 0; round < kRoundsMax; ++round) {
    TRY(session_.post(endpoint_ + ":check", base::Json::object()));
    TRY(tell_news());
    TRY(const base::Json loop, session_.get(endpoint_ + "/lifecycle"));
    const std::string stage = text_field(loop, "stage");
    if (std::find(kWork.begin(), kWork.end(), stage) == kWork.end()) {
      return absl::OkStatus();
    }
    TRY(const base::Json job, session_.get("/jobs/" + text_field(loop, "job")));
    const absl::Status ended = wait_for_job(session_, job, {.what = stage}).status();
    if (absl::IsCancelled(ended)) {
      return ended;
    }
    // What a job's failure means is for the loop to say.
  }
  return base::internal("the loop of the endpoint comes to no end");
}

absl::Status LiveMonths::tell_news() {
  TRY(const base::Json loop, session_.get(endpoint_ + "/lifecycle"));
  const base::Json& history = array_field(loop, "history");
  for (size_t i = decisions_.size(); i < history.size(); ++i) {
    decisions_.push_back(history[i]);
    const std::string model = text_field(history[i], "model");
    session_.output().note(
        fmt::format("  {}  {:<12} {}{}", day_of(text_field(history[i], "event_time")),
                    text_field(history[i], "to"), model.empty() ? "" : model + ": ",
                    text_field(history[i], "reason")));
  }
  return tell_alerts();
}

absl::Status LiveMonths::tell_alerts() {
  TRY(const base::Json listed, session_.list("/alerts", "alerts", {}, 0));
  for (const base::Json& alert : array_field(listed, "alerts")) {
    if (told_alerts_.insert(text_field(alert, "id")).second) {
      alerts_.push_back(alert);
      session_.output().note(fmt::format("  {}  {:<12} {}", day_of(text_field(alert, "since")),
                                         "alert", text_field(alert, "what")));
    }
  }
  return absl::OkStatus();
}

}  // namespace cromford::cli
