#pragma once

// Has the loss grown for good? An e-detector over the stream of losses (Shin, Ramdas and Rinaldo,
// "E-detectors", 2023): for a loss between 0 and 1 whose mean is at most `tolerated`, each
// M <- max(1, M) (1 + lambda (loss - tolerated)) is a bet that cannot be won on average, so that
// the alarm M >= patience comes less than once in `patience` rows, however often one looks. A mix
// of small and large lambdas notices both slow and sudden changes. It is in the rows, not in the
// hours: where rows come in bunches that err together, alarms are more frequent than that.
//
//   LossChange change(0.15);
//   change.observe(0.02, at);
//   if (change.alarm_at()) { ... since change.changed_at() ... }
//
// Thread safety: a value.

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/json.h"

namespace cromford::monitor {

class LossChange {
 public:
  // `usual`: the mean loss that was promised (measured when the version was tested); the tolerated
  // one is a tenth more. Without it, the first thousand rows tell, with two standard errors on top.
  explicit LossChange(std::optional<double> usual = std::nullopt);

  // In any order of time, each row once. `loss` within 0 and 1.
  void observe(double loss, base::Time at);

  double tolerated() const { return tolerated_; }  // 0: not known yet.
  uint64_t rows() const { return rows_; }
  // The mean of the bets: the evidence that the loss has grown.
  double evidence() const;
  // When the evidence reached a million, and since when it had grown; nothing: it did not.
  std::optional<base::Time> alarm_at() const { return alarm_at_; }
  std::optional<base::Time> changed_at() const { return alarm_at_ ? began_at_ : std::nullopt; }

  base::Json to_json() const;
  static absl::StatusOr<LossChange> from_json(const base::Json& json);

 private:
  static constexpr std::array<double, 3> kBets = {0.05, 0.2, 0.6};  // Of the largest possible.

  double tolerated_ = 0;
  double first_sum_ = 0;
  double first_squares_ = 0;
  uint64_t rows_ = 0;
  std::array<double, kBets.size()> bets_ = {1, 1, 1};
  std::optional<base::Time> began_at_;
  std::optional<base::Time> alarm_at_;
};

}  // namespace cromford::monitor
