#include "learn/reader.h"

#include <algorithm>
#include <numeric>

#include "base/assert.h"
#include "learn/parallel.h"

namespace cromford::learn {

model::RowBatch RowReader::read(std::span<const uint32_t> positions) {
  chosen_.clear();
  for (const uint32_t position : positions) {
    chosen_.push_back(problem_.rows[position]);
  }
  absl::StatusOr<ModelRows> rows = ModelRows::create(table_, problem_.contract, chosen_);
  CROMFORD_ASSERT(rows.ok(), "each input has the type of its own column");
  rows_ = *std::move(rows);
  return rows_->batch(0, positions.size(), views_);
}

Matrix make_matrix(const table::Table& table, const Problem& problem,
                   const model::FeaturePipeline& pipeline, std::span<const uint32_t> positions,
                   size_t threads) {
  constexpr size_t block_rows = 2048;
  Matrix matrix{
      .row_count = positions.size(), .column_count = pipeline.feature_count(), .values = {}};
  matrix.values.resize(matrix.row_count * matrix.column_count);
  in_pieces(positions.size(), threads, [&](size_t first, size_t last) {
    RowReader reader(table, problem);
    model::FeatureScratch scratch;
    for (size_t at = first; at < last; at += block_rows) {
      const size_t count = std::min(block_rows, last - at);
      pipeline.apply(
          reader.read(positions.subspan(at, count)), 0, count, scratch,
          std::span(matrix.values).subspan(at * matrix.column_count, count * matrix.column_count));
    }
  });
  return matrix;
}

Matrix choose_columns(const Matrix& all, const std::vector<uint32_t>& columns) {
  Matrix result{.row_count = all.row_count, .column_count = columns.size(), .values = {}};
  result.values.resize(result.row_count * result.column_count);
  for (size_t i = 0; i < all.row_count; ++i) {
    const std::span<const float> row = all.row(i);
    for (size_t f = 0; f < columns.size(); ++f) {
      result.values[i * columns.size() + f] = row[columns[f]];
    }
  }
  return result;
}

}  // namespace cromford::learn
