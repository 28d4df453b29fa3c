#include "model/linear/linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "model/bytes.h"
#include "model/checks.h"

namespace cromford::model {

absl::Status Linear::encode(const LinearParts& parts, uint32_t feature_count, ByteWriter& out) {
  if (parts.bias.size() != parts.output_count || parts.mean.size() != feature_count ||
      parts.impute.size() != feature_count ||
      parts.weights.size() != size_t{parts.output_count} * feature_count) {
    return base::invalid(fmt::format(
        "the linear predictor has {} biases, {} means, {} replacements and {} weights for {} "
        "outputs and {} features",
        parts.bias.size(), parts.mean.size(), parts.impute.size(), parts.weights.size(),
        parts.output_count, feature_count));
  }
  out.put(parts.output_count);
  out.array<double>(parts.bias);
  out.array<double>(parts.mean);
  out.array<double>(parts.impute);
  out.array<double>(parts.weights);
  return absl::OkStatus();
}

absl::StatusOr<Linear> Linear::load(uint32_t feature_count, ByteReader& in) {
  Linear linear;
  linear.feature_count_ = feature_count;
  linear.output_count_ = in.get<uint32_t>();
  linear.bias_ = in.array<double>(linear.output_count_);
  linear.mean_ = in.array<double>(feature_count);
  linear.impute_ = in.array<double>(feature_count);
  linear.weights_ = in.array<double>(size_t{linear.output_count_} * feature_count);
  if (!in.ok() || linear.output_count_ == 0) {
    return base::damaged("the linear predictor does not fit its section");
  }
  TRY(check_parameters("a bias of the linear predictor", linear.bias_));
  TRY(check_parameters("a mean of the linear predictor", linear.mean_));
  TRY(check_parameters("a replacement of the linear predictor", linear.impute_));
  TRY(check_parameters("a weight of the linear predictor", linear.weights_));
  return linear;
}

absl::StatusOr<Linear> Linear::create(const LinearParts& parts, uint32_t feature_count) {
  ByteWriter out;
  TRY(encode(parts, feature_count, out));
  auto owned = std::make_shared<const std::vector<std::byte>>(out.take());
  ByteReader in(*owned);
  absl::StatusOr<Linear> linear = load(feature_count, in);
  if (!linear.ok()) {
    return as_invalid(linear.status());
  }
  linear->owned_ = std::move(owned);
  return linear;
}

double Linear::centred(std::span<const float> row, std::span<const uint32_t> features,
                       size_t f) const {
  const float x = row[features[f]];
  return (std::isnan(x) ? impute_[f] : static_cast<double>(x)) - mean_[f];
}

void Linear::predict(std::span<const float> row, std::span<const uint32_t> features,
                     std::span<double> margins) const {
  std::ranges::copy(bias_, margins.begin());
  for (size_t f = 0; f < feature_count_; ++f) {
    const double x = centred(row, features, f);
    for (size_t o = 0; o < output_count_; ++o) {
      margins[o] += weights_[o * feature_count_ + f] * x;
    }
  }
}

void Linear::add_contributions(std::span<const float> row, std::span<const uint32_t> features,
                               std::span<const uint32_t> players, uint32_t output, double scale,
                               std::span<double> phi) const {
  for (size_t f = 0; f < feature_count_; ++f) {
    phi[players[f]] +=
        scale * (weights_[size_t{output} * feature_count_ + f] * centred(row, features, f));
  }
}

}  // namespace cromford::model
