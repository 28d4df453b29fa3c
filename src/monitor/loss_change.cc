#include "monitor/loss_change.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace cromford::monitor {
namespace {

constexpr double kMargin = 1.1;
constexpr uint64_t kFirstRows = 1000;
// Rows between two false alarms, at least, on average.
constexpr double kPatience = 1e6;
constexpr double kBetMax = 1e12;
constexpr double kToleratedMin = 1e-4;  // A version that never erred: one error is no change.

double tolerated_from(double usual) {
  return std::clamp(kMargin * usual, kToleratedMin, 1.0);
}

base::Json time_or_null(const std::optional<base::Time>& time) {
  return time ? base::Json(time->time_since_epoch().count()) : base::Json();
}

std::optional<base::Time> time_from(const base::Json& json) {
  return json.is_null() ? std::nullopt
                        : std::optional(base::Time(std::chrono::microseconds(json.get<int64_t>())));
}

}  // namespace

LossChange::LossChange(std::optional<double> usual)
    : tolerated_(usual ? tolerated_from(*usual) : 0) {}

void LossChange::observe(double loss, base::Time at) {
  ++rows_;
  if (tolerated_ == 0) {
    first_sum_ += loss;
    first_squares_ += loss * loss;
    if (rows_ == kFirstRows) {
      // What so few rows say is itself uncertain: two standard errors are left to chance.
      const double mean = first_sum_ / kFirstRows;
      const double variance = std::max(0.0, first_squares_ / kFirstRows - mean * mean);
      tolerated_ = tolerated_from(mean + 2 * std::sqrt(variance / kFirstRows));
    }
    return;
  }
  const bool at_rest = std::all_of(bets_.begin(), bets_.end(), [](double bet) { return bet <= 1; });
  if (at_rest && !alarm_at_) {
    began_at_ = at;
  }
  for (size_t i = 0; i < bets_.size(); ++i) {
    const double lambda = kBets[i] / tolerated_;
    const double bet = std::max(1.0, bets_[i]) * (1 + lambda * (loss - tolerated_));
    bets_[i] = std::min(bet, kBetMax);
  }
  if (!alarm_at_ && evidence() >= kPatience) {
    alarm_at_ = at;
  }
}

double LossChange::evidence() const {
  double sum = 0;
  for (const double bet : bets_) {
    sum += bet;
  }
  return sum / static_cast<double>(bets_.size());
}

base::Json LossChange::to_json() const {
  return {{"tolerated", tolerated_},
          {"first_sum", first_sum_},
          {"first_squares", first_squares_},
          {"rows", rows_},
          {"bets", bets_},
          {"began_at", time_or_null(began_at_)},
          {"alarm_at", time_or_null(alarm_at_)}};
}

absl::StatusOr<LossChange> LossChange::from_json(const base::Json& json) {
  try {
    LossChange change;
    change.tolerated_ = json.at("tolerated").get<double>();
    change.first_sum_ = json.at("first_sum").get<double>();
    change.first_squares_ = json.at("first_squares").get<double>();
    change.rows_ = json.at("rows").get<uint64_t>();
    change.bets_ = json.at("bets").get<std::array<double, kBets.size()>>();
    change.began_at_ = time_from(json.at("began_at"));
    change.alarm_at_ = time_from(json.at("alarm_at"));
    return change;
  } catch (const base::Json::exception& error) {
    return base::damaged(std::string("the state of a change detector is damaged: ") + error.what());
  }
}

}  // namespace cromford::monitor
