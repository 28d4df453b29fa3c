#pragma once

// A trained model, loaded from one file that is mapped and never changes: contract, feature
// pipeline, predictors, calibration, baseline and manifest. Loading checks every byte that is
// trusted later: a damaged package is an error, never a crash.
//
//   TRY(std::shared_ptr<const Package> package, Package::open("late.package"));
//   Workspace workspace;                                   // one per thread, reused
//   RowBuffer rows(package->contract());
//   rows.reset(1);
//   rows.set_number(0, 1, 612.0);
//   const Predictions out = package->predict(rows.batch(), workspace);
//   out.probabilities[1];
//
// Predictions are deterministic: a batch of n rows gives, bit for bit, what n batches of one give,
// on every machine.
// Thread safety: const functions may be called by several threads, each with its own Workspace.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/baseline.h"
#include "model/bin_layout.h"
#include "model/calibration/calibration.h"
#include "model/contract.h"
#include "model/features/pipeline.h"
#include "model/row_batch.h"

namespace cromford::model {

// Reusable memory of predict() and explain(); may be shared by packages, not by threads.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

 private:
  friend class Package;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The answer for a batch, as views into the Workspace that are valid until its next use.
struct Predictions {
  size_t row_count = 0;
  size_t class_count = 0;                 // 0 for regression
  size_t output_count = 1;                // margins per row: 1, or class_count for multiclass
  std::span<const double> margins;        // [row_count x output_count], before calibration
  std::span<const double> probabilities;  // [row_count x class_count] in the order of classes()
  std::span<const uint32_t> classes;      // [row_count] the class decided for; empty for regression
  std::span<const double> values;         // [row_count] regression, else empty
  std::span<const double> lower;          // [row_count] where the package has intervals, else empty
  std::span<const double> upper;          // as lower
  // Per raw column: how many of its values are categories that training never saw.
  std::span<const uint32_t> unseen;
  // [dictionary x row_count] what the text columns with a dictionary were looked up as: the code of
  // pipeline().code_of(), or unseen_category().
  std::span<const uint32_t> categories;
};

// Why a row got its margin: margin == baseline + the sum of contributions (to 1e-9). For binary a
// positive contribution speaks for the positive class; for multiclass for the class explained.
struct Explanation {
  uint32_t output = 0;  // 0, or the class explained for multiclass
  double baseline = 0.0;
  double margin = 0.0;
  std::vector<double> contributions;  // one per raw column, in the order of the contract
};

// One member of the ensemble, for the model card.
struct PredictorSummary {
  std::string name;
  std::string kind;  // "forest", "linear"
  double weight = 1.0;
  size_t feature_count = 0;
  size_t tree_count = 0;
};

// What one row costs one core, roughly, by the shapes of pipeline and predictors: good for deciding
// where to do the work, promising nothing.
struct RowCost {
  double predict_ns = 0.0;
  double explain_ns = 0.0;  // On top of predicting.
};

class Package {
 public:
  // Maps the file. NOT_FOUND without it; DATA_LOSS where it is damaged; INVALID_ARGUMENT where it
  // is no package at all; FAILED_PRECONDITION where a newer Cromford wrote it.
  static absl::StatusOr<std::shared_ptr<const Package>> open(const std::string& path);
  // Takes the bytes of a file.
  static absl::StatusOr<std::shared_ptr<const Package>> load(std::vector<std::byte> bytes);
  // The bytes must outlive the package; `owner` is kept with it for that purpose.
  static absl::StatusOr<std::shared_ptr<const Package>> load(std::span<const std::byte> bytes,
                                                             std::shared_ptr<const void> owner);
  ~Package();
  Package(const Package&) = delete;
  Package& operator=(const Package&) = delete;

  Task task() const;
  const std::string& target() const;
  const Contract& contract() const;
  // Class names; binary: negative, positive. Empty for regression.
  const std::vector<std::string>& classes() const;
  // Index of the positive class (1), -1 where the task is not binary.
  int positive_class() const;
  double threshold() const;
  Link link() const;
  const Calibration& calibration() const;
  const Interval& interval() const;
  const FeaturePipeline& pipeline() const;
  const std::vector<PredictorSummary>& predictors() const;
  const Baseline& baseline() const;
  // The bins of the baseline, ready for counting; lives as long as the package.
  const BinLayout& bin_layout() const;
  // Metrics, importance, warnings, lineage, settings, as written by training: a JSON object.
  const base::Json& manifest() const;
  // Size of the file.
  size_t size_bytes() const;
  // Memory beside the mapped file (kernels, hash tables).
  size_t memory_bytes() const;

  RowCost row_cost() const;

  // Predicts every row of `batch`, whose columns are those of contract() (asserted). No allocation
  // once `workspace` has seen a batch of this size.
  Predictions predict(const RowBatch& batch, Workspace& workspace) const;

  // Exact Shapley values over raw columns of one row's margin (see forest/shapley.h; linear members
  // exactly; ensembles by weight). `output` < output count; kPredictedClass explains the class
  // decided for (multiclass; 0 for the other tasks).
  static constexpr uint32_t kPredictedClass = UINT32_MAX;
  void explain(const RowBatch& batch, size_t row, uint32_t output, Workspace& workspace,
               Explanation& out) const;

 private:
  struct Impl;
  explicit Package(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The `count` columns with the largest absolute contributions, largest first (ties: lower index);
// columns with contribution 0 are left out.
std::vector<size_t> top_columns(const Explanation& explanation, size_t count);

}  // namespace cromford::model
