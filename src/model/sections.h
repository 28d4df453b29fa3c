#pragma once

// The inside of Package: its sections as decoded and checked. Private to package.cc, the writer and
// their tests.
//
// Thread safety: values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/baseline.h"
#include "model/calibration/calibration.h"
#include "model/contract.h"
#include "model/features/pipeline.h"
#include "model/forest/forest.h"
#include "model/forest/kernel.h"
#include "model/forest/shapley.h"
#include "model/format.h"
#include "model/linear/linear.h"
#include "model/package_writer.h"

namespace cromford::model {

// The numbers stand in package files and never change.
enum class PredictorKind : uint32_t { kForest = 1, kLinear = 2 };

constexpr uint32_t kColumnCountMax = 100000;
constexpr uint32_t kClassCountMax = 10000;
constexpr size_t kManifestBytesMax = size_t{16} * 1024 * 1024;

struct Head {
  Task task = Task::kRegression;
  std::string target;
  std::vector<std::string> classes;
  Contract contract;

  // Margins per row.
  uint32_t output_count() const {
    return task == Task::kMulticlass ? static_cast<uint32_t>(classes.size()) : 1;
  }
};

// One predictor, ready to run. Not moved once it is made: the explainer points to the forest.
struct Member {
  std::string name;
  PredictorRole role = PredictorRole::kMargin;
  double weight = 1.0;
  std::vector<uint32_t> features;
  std::vector<uint32_t> players;  // of its features
  std::optional<Forest> forest;   // or linear
  std::optional<ForestKernel> kernel;
  std::optional<ForestExplainer> explainer;
  std::optional<Linear> linear;
};

struct Answer {
  Link link = Link::kIdentity;
  Calibration calibration;
  Interval interval;
  double threshold = 0.5;
};

// Who plays in an explanation: the raw columns, then one player for each pair of columns that a
// feature joins.
struct Players {
  std::vector<uint32_t> of_feature;
  std::vector<FeatureOrigin> pairs;  // of the players behind the columns
  uint32_t count = 0;
};
Players players_of(const FeaturePipeline& pipeline, size_t column_count);

// Each decodes one section, which it checks wholly: DATA_LOSS says what is wrong.
absl::StatusOr<Head> decode_head(std::span<const std::byte> bytes);
absl::StatusOr<FeaturePipeline> decode_pipeline(std::span<const std::byte> bytes, const Head& head);
absl::StatusOr<std::unique_ptr<Member>> decode_member(std::span<const std::byte> bytes,
                                                      const Head& head,
                                                      const FeaturePipeline& pipeline,
                                                      const Players& players);
absl::StatusOr<Answer> decode_answer(std::span<const std::byte> bytes, const Head& head);
absl::StatusOr<Baseline> decode_checked_baseline(std::span<const std::byte> bytes, const Head& head,
                                                 const FeaturePipeline& pipeline);
absl::StatusOr<base::Json> decode_manifest(std::span<const std::byte> bytes);

}  // namespace cromford::model
