#pragma once

// Rows of the problem as raw rows of the model: the view through which training uses the very
// feature pipeline that will serve, by the conversion of rows.h, as everything else.
//
//   RowReader reader(table, problem);
//   pipeline.apply(reader.read({positions}), 0, positions.size(), scratch, features);
//
// Thread safety: a reader belongs to one thread; several may read one table.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "learn/problem.h"
#include "learn/rows.h"
#include "model/features/pipeline.h"
#include "model/row_batch.h"
#include "table/table.h"

namespace cromford::learn {

class RowReader {
 public:
  // Both must outlive it; the problem's contract is that of the table.
  RowReader(const table::Table& table, const Problem& problem) : table_(table), problem_(problem) {}

  // The rows at these positions of problem.rows; valid until the next call.
  model::RowBatch read(std::span<const uint32_t> positions);

 private:
  const table::Table& table_;
  const Problem& problem_;
  std::vector<uint32_t> chosen_;
  std::optional<ModelRows> rows_;
  ModelRows::BatchViews views_;
};

// Features of many rows: row-major [row_count x column_count].
struct Matrix {
  size_t row_count = 0;
  size_t column_count = 0;
  std::vector<float> values;

  std::span<const float> row(size_t i) const {
    return std::span(values).subspan(i * column_count, column_count);
  }
};

// Applies the pipeline to the rows at these positions, block by block, on `threads` threads.
Matrix make_matrix(const table::Table& table, const Problem& problem,
                   const model::FeaturePipeline& pipeline, std::span<const uint32_t> positions,
                   size_t threads);

// Some columns of a matrix.
Matrix choose_columns(const Matrix& all, const std::vector<uint32_t>& columns);

}  // namespace cromford::learn
