#pragma once

// A linear predictor on features: margin[o] = bias[o] + sum over f of
// weight[o][f] * (x[f] - mean[f]), where a missing x[f] is replaced by impute[f] first. `mean` is
// the training mean, so bias[o] is the margin of the average row and weight * (x - mean) is
// feature f's exact contribution. Without features it is a constant: the baseline model.
//
//   LinearParts parts{.output_count = 1, .bias = {0.3}, .mean = {612.0}, .impute = {612.0},
//                     .weights = {0.001}};
//   TRY(Linear linear, Linear::create(parts, 1));
//   linear.predict(row, {&margin, 1});
//
// Thread safety: immutable after creation.

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace cromford::model {

class ByteReader;
class ByteWriter;

// All values are finite.
struct LinearParts {
  uint32_t output_count = 1;
  std::vector<double> bias = {};     // [output_count]
  std::vector<double> mean = {};     // [feature_count]
  std::vector<double> impute = {};   // [feature_count]
  std::vector<double> weights = {};  // [output_count x feature_count], row-major
};

class Linear {
 public:
  static absl::StatusOr<Linear> create(const LinearParts& parts, uint32_t feature_count);
  // The form stored in a package. load() keeps views of the reader's bytes, which must outlive it.
  static absl::Status encode(const LinearParts& parts, uint32_t feature_count, ByteWriter& out);
  static absl::StatusOr<Linear> load(uint32_t feature_count, ByteReader& in);

  uint32_t output_count() const { return output_count_; }
  uint32_t feature_count() const { return feature_count_; }
  std::span<const double> bias() const { return bias_; }

  // Margins of one row: x[f] is row[features[f]]. Summed in the order of the features, in double.
  void predict(std::span<const float> row, std::span<const uint32_t> features,
               std::span<double> margins) const;

  // Adds scale * weight[output][f] * (x[f] - mean[f]) to phi[players[f]].
  void add_contributions(std::span<const float> row, std::span<const uint32_t> features,
                         std::span<const uint32_t> players, uint32_t output, double scale,
                         std::span<double> phi) const;

 private:
  Linear() = default;
  double centred(std::span<const float> row, std::span<const uint32_t> features, size_t f) const;

  uint32_t output_count_ = 1;
  uint32_t feature_count_ = 0;
  std::span<const double> bias_;
  std::span<const double> mean_;
  std::span<const double> impute_;
  std::span<const double> weights_;
  std::shared_ptr<const std::vector<std::byte>> owned_;  // only of create()
};

}  // namespace cromford::model
