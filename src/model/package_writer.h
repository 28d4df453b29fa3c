#pragma once

// Writes a model package: everything that a trained model is, as one file's bytes
// (docs/formats/package.md). Equal parts give equal bytes.
//
//   PackageParts parts;
//   parts.task = Task::kBinary;
//   parts.contract = contract;
//   parts.pipeline = pipeline_parts;
//   parts.predictors.push_back({.name = "trees", .weight = 1.0, .features = {0, 1}, .body =
//   forest}); parts.classes = {"false", "true"}; parts.manifest = base::dump_json(manifest);  //
//   metrics, importance, warnings, lineage, ... TRY(std::vector<std::byte> bytes,
//   write_package(parts));
//
// Thread safety: values and a pure function.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "model/baseline.h"
#include "model/calibration/calibration.h"
#include "model/contract.h"
#include "model/features/parts.h"
#include "model/forest/parts.h"
#include "model/linear/linear.h"

namespace cromford::model {

enum class PredictorRole : uint8_t {
  kMargin = 0,  // its margins times its weight are added to the model's margins
  kScale = 1,   // the same for the scale of the interval (one output; IntervalKind::kScaled)
};

// One member of the ensemble. `features` are the pipeline's features that it reads, in its own
// order (distinct); the indices within `body` refer to this list.
struct PredictorParts {
  std::string name = {};  // for people: "trees", "linear"
  PredictorRole role = PredictorRole::kMargin;
  double weight = 1.0;
  std::vector<uint32_t> features = {};
  std::variant<ForestParts, LinearParts> body = {};
};

struct PackageParts {
  Task task = Task::kRegression;
  std::string target = {};  // name of the target column
  Contract contract = {};
  PipelineParts pipeline = {};
  std::vector<PredictorParts> predictors = {};  // at least one with role kMargin
  // Classification: at least two distinct class names; binary: exactly two, the negative one first,
  // the positive one second. Regression: none.
  std::vector<std::string> classes = {};
  Link link = Link::kIdentity;  // kLogistic for binary, kSoftmax for multiclass
  Calibration calibration = {};
  Interval interval = {};
  double threshold = 0.5;  // binary: positive where probability >= threshold, 0 < threshold < 1
  Baseline baseline = {};
  // The text of a JSON object for people and programs (base::dump_json), at most 16 MiB: metrics,
  // importance, warnings, lineage, settings. Prediction does not read it.
  std::string manifest = "{}";
};

// INVALID_ARGUMENT names the part that does not fit. The bytes are proven to load before they are
// returned.
absl::StatusOr<std::vector<std::byte>> write_package(const PackageParts& parts);

}  // namespace cromford::model
