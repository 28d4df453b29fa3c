#pragma once

// Scoring of columnar batches for files of any size: rows in, result columns out, batch by batch in
// constant memory. Reading and writing files is the caller's; so is turning a table's columns into
// a model::RowBatch.
//
//   TRY(BatchScorer scorer, BatchScorer::create(package, {.explain = 3}));
//   for (...) {
//     scorer.score(rows.batch());
//     for (const ResultColumn& column : scorer.columns()) { write(column); }
//   }
//
// Thread safety: a scorer belongs to one thread; any number of scorers may share a package.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/package.h"

namespace cromford::serve {

struct BatchOptions {
  uint32_t explain = 0;  // How many reasons each row gets.
};

// One column of results. A number column uses `numbers`; a category column `codes` into
// `categories`; a text column `texts` (an empty text is missing).
struct ResultColumn {
  enum class Kind { kNumber, kCategory, kText };

  std::string name;
  Kind kind = Kind::kNumber;
  std::vector<double> numbers = {};
  std::vector<uint32_t> codes = {};
  std::vector<std::string> categories = {};
  std::vector<std::string> texts = {};
};

class BatchScorer {
 public:
  // INVALID_ARGUMENT where more reasons are asked for than `base::Limits::explain_max`.
  static absl::StatusOr<BatchScorer> create(std::shared_ptr<const model::Package> package,
                                            const BatchOptions& options = {});

  // Scores the rows of `batch` (columns as in package->contract()) into columns().
  void score(const model::RowBatch& batch);

  // `prediction`; for classification `probability_CLASS` for each class; for regression `lower` and
  // `upper` where the package has intervals; `reason_1` .. `reason_K` as
  // "column=value (contribution)". Names and kinds stand before the first score().
  const std::vector<ResultColumn>& columns() const { return columns_; }

 private:
  BatchScorer(std::shared_ptr<const model::Package> package, const BatchOptions& options);
  void explain(const model::RowBatch& batch);

  std::shared_ptr<const model::Package> package_;
  BatchOptions options_;
  std::vector<ResultColumn> columns_;
  size_t first_reason_ = 0;
  model::Workspace workspace_;
  model::Explanation explanation_;
};

}  // namespace cromford::serve
