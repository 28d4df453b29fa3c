#include "learn/reader.h"

#include <algorithm>
#include <numeric>

#include "learn/parallel.h"

namespace cromford::learn {

RowReader::RowReader(const table::Table& table, const Problem& problem)
    : table_(table),
      problem_(problem),
      numbers_(problem.fields.size()),
      texts_(problem.fields.size()),
      views_(problem.fields.size()) {}

model::RowBatch RowReader::read(std::span<const uint32_t> positions) {
  for (size_t f = 0; f < problem_.fields.size(); ++f) {
    const table::Column& column = table_.columns()[problem_.fields[f].column];
    if (column.type != table::ColumnType::kText) {
      numbers_[f].resize(positions.size());
      for (size_t i = 0; i < positions.size(); ++i) {
        numbers_[f][i] = cell_number(column, problem_.rows[positions[i]]);
      }
      views_[f].numbers = numbers_[f];
      continue;
    }
    texts_[f].resize(positions.size());
    for (size_t i = 0; i < positions.size(); ++i) {
      const uint32_t row = problem_.rows[positions[i]];
      // An empty text is missing, as in the rows that serving reads.
      const std::string_view text = column.valid(row) ? column.text(row) : std::string_view();
      texts_[f][i] = text.empty() ? std::string_view() : text;
    }
    views_[f].texts = texts_[f];
  }
  return {.row_count = positions.size(), .columns = views_};
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
