#include "table/block_converter.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace cromford::table {
namespace {

// What a cell did.
enum class Outcome { kValue, kMissing, kMisfit };

// One column of one block on its way into vectors.
class ColumnWriter {
 public:
  ColumnWriter(const RowBlock& block, const Dialect& dialect, size_t column, const ColumnPlan& plan)
      : block_(block), dialect_(dialect), column_(column), plan_(plan) {}

  // Writes `rows` into `vector`. `on_misfit` is told the row and the cell.
  template <typename OnMisfit>
  void write(std::span<const uint32_t> rows, duckdb_vector vector, OnMisfit&& on_misfit) {
    data_ = duckdb_vector_get_data(vector);
    vector_ = vector;
    uint64_t* validity = nullptr;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Cell& cell = block_.cells[rows[i] * block_.width + column_];
      const std::string_view text = block_.cell_text(cell, dialect_, scratch_);
      const Outcome outcome = text.empty() ? Outcome::kMissing : put(text, i);
      if (outcome == Outcome::kValue) {
        ++filled_;
        continue;
      }
      if (validity == nullptr) {
        duckdb_vector_ensure_validity_writable(vector);
        validity = duckdb_vector_get_validity(vector);
      }
      duckdb_validity_set_row_invalid(validity, i);
      if (outcome == Outcome::kMisfit) {
        ++filled_;
        on_misfit(rows[i], text);
      }
    }
  }

  int64_t filled() const { return filled_; }
  MissingMarks marks() const { return marks_; }
  int64_t infinite() const { return infinite_; }
  DateFormats ruled_out() const { return ruled_out_; }
  const ColumnGuess& guess() const { return guess_; }

 private:
  Outcome missing_or_misfit(std::string_view text) {
    const MissingMarks mark = missing_mark_of(text) & plan_.marks;
    marks_ |= mark;
    infinite_ += mark == bit(MissingMark::kInfinite) ? 1 : 0;
    return mark != 0 ? Outcome::kMissing : Outcome::kMisfit;
  }

  Outcome put(std::string_view text, size_t i) {
    bool fits = false;
    switch (plan_.type) {
      case ColumnType::kInteger:
        fits = parse_integer(text, static_cast<int64_t*>(data_)[i]);
        break;
      case ColumnType::kNumber:
        fits = parse_number(text, plan_.style, static_cast<double*>(data_)[i]);
        break;
      case ColumnType::kBoolean:
        fits = parse_boolean(text, static_cast<bool*>(data_)[i]);
        break;
      case ColumnType::kDate:
        fits = parse_date(text, plan_.date_format, static_cast<int32_t*>(data_)[i]);
        note_rivals(text);
        break;
      case ColumnType::kTimestamp:
        fits = parse_timestamp(text, plan_.date_format, static_cast<int64_t*>(data_)[i]);
        note_rivals(text);
        break;
      case ColumnType::kText:
        return put_text(text, i);
    }
    return fits ? Outcome::kValue : missing_or_misfit(text);
  }

  Outcome put_text(std::string_view text, size_t i) {
    if (plan_.undetermined) {
      guess_.add(text);
    }
    const MissingMarks mark = missing_mark_of(text) & plan_.marks;
    if (mark != 0) {
      marks_ |= mark;
      return Outcome::kMissing;
    }
    duckdb_vector_assign_string_element_len(vector_, i, text.data(), text.size());
    return Outcome::kValue;
  }

  // While two formats fit, every cell is held against both.
  void note_rivals(std::string_view text) {
    if (plan_.rivals == 0 || missing_mark_of(text) != 0) {
      return;
    }
    bool has_time = false;
    ruled_out_ |= plan_.rivals & ~date_formats_of(text, has_time);
  }

  const RowBlock& block_;
  const Dialect& dialect_;
  size_t column_;
  const ColumnPlan& plan_;
  void* data_ = nullptr;
  duckdb_vector vector_ = nullptr;
  std::string scratch_;
  int64_t filled_ = 0;
  MissingMarks marks_ = 0;
  int64_t infinite_ = 0;
  DateFormats ruled_out_ = 0;
  ColumnGuess guess_;
};

std::string_view kind_words(const ColumnPlan& plan) {
  switch (plan.type) {
    case ColumnType::kBoolean:
      return "true or false";
    case ColumnType::kInteger:
      return "a whole number";
    case ColumnType::kNumber:
      return plan.style == NumberStyle::kDecimalComma ? "a number with a decimal comma"
                                                      : "a number";
    case ColumnType::kDate:
      return "a date";
    case ColumnType::kTimestamp:
      return "a date and time";
    case ColumnType::kText:
      break;
  }
  return "text";
}

std::string misfit_reason(const PlannedColumn& column, std::string_view cell) {
  constexpr size_t kShown = 60;
  const bool is_date =
      column.plan.type == ColumnType::kDate || column.plan.type == ColumnType::kTimestamp;
  return fmt::format(
      "column {}: \"{}\" is not {}{}", column.name, base::clip_utf8(cell, kShown),
      kind_words(column.plan),
      is_date ? fmt::format(" as {}", date_format_name(column.plan.date_format)) : "");
}

class BlockConverter {
 public:
  BlockConverter(RowBlock& block, const Dialect& dialect, const std::vector<PlannedColumn>& columns)
      : block_(block), dialect_(dialect), columns_(columns) {
    for (const PlannedColumn& column : columns) {
      types_.push_back(duckdb_create_logical_type(duck::type_id(column.plan.type)));
    }
  }
  ~BlockConverter() {
    for (duckdb_logical_type& type : types_) {
      duckdb_destroy_logical_type(&type);
    }
  }
  BlockConverter(const BlockConverter&) = delete;
  BlockConverter& operator=(const BlockConverter&) = delete;

  ConvertedBlock convert() {
    ConvertedBlock result;
    result.misfits.resize(columns_.size());
    result.marks.resize(columns_.size());
    result.infinite.resize(columns_.size());
    std::vector<uint32_t> rows(block_.row_count());
    std::iota(rows.begin(), rows.end(), 0U);
    reasons_.assign(rows.size(), {});
    fill(rows, result);
    if (has_misfits_) {
      // Once more without them.
      std::erase_if(rows, [this](uint32_t row) { return !reasons_[row].empty(); });
      ConvertedBlock clean;
      clean.misfits.resize(columns_.size());
      clean.marks.resize(columns_.size());
      clean.infinite.resize(columns_.size());
      fill(rows, clean);
      result.infinite = std::move(clean.infinite);
      result.chunks = std::move(clean.chunks);
    }
    result.row_count = static_cast<int64_t>(rows.size());
    collect_bad(result);
    return result;
  }

 private:
  void fill(std::span<const uint32_t> rows, ConvertedBlock& result) {
    const size_t step = duck::vector_size();
    for (size_t begin = 0; begin < rows.size(); begin += step) {
      duck::DataChunk chunk(duckdb_create_data_chunk(types_.data(), types_.size()));
      duckdb_data_chunk_set_size(chunk.get(), std::min(step, rows.size() - begin));
      result.chunks.push_back(std::move(chunk));
    }
    // By column, so that the code of one type stays in the processor.
    for (size_t column = 0; column < columns_.size(); ++column) {
      const ColumnPlan& plan = columns_[column].plan;
      ColumnWriter writer(block_, dialect_, column, plan);
      Misfits& misfits = result.misfits[column];
      const auto on_misfit = [&](uint32_t row, std::string_view cell) {
        misfits.add(cell, plan);
        has_misfits_ = true;
        if (reasons_[row].empty()) {
          reasons_[row] = misfit_reason(columns_[column], cell);
        }
      };
      for (size_t i = 0; i < result.chunks.size(); ++i) {
        const auto part = rows.subspan(i * step, std::min(step, rows.size() - i * step));
        writer.write(part, duckdb_data_chunk_get_vector(result.chunks[i].get(), column), on_misfit);
      }
      misfits.filled = writer.filled();
      misfits.ruled_out = writer.ruled_out();
      misfits.guess.merge(writer.guess());
      result.marks[column] = writer.marks();
      result.infinite[column] = writer.infinite();
    }
  }

  void collect_bad(ConvertedBlock& result) {
    result.bad = std::move(block_.bad);
    if (has_misfits_) {
      for (size_t row = 0; row < block_.row_count(); ++row) {
        if (!reasons_[row].empty()) {
          const std::string_view text =
              base::clip_utf8(block_.row_text(row), RowScanner::kBadTextBytesMax);
          result.bad.push_back({block_.first_line + block_.rows[row].line_offset, std::string(text),
                                std::move(reasons_[row])});
        }
      }
      std::stable_sort(result.bad.begin(), result.bad.end(),
                       [](const BadRow& a, const BadRow& b) { return a.line < b.line; });
    }
  }

  RowBlock& block_;
  const Dialect& dialect_;
  const std::vector<PlannedColumn>& columns_;
  std::vector<duckdb_logical_type> types_;
  std::vector<std::string> reasons_;  // by row; empty: the row is good
  bool has_misfits_ = false;
};

}  // namespace

ConvertedBlock convert_block(RowBlock& block, const Dialect& dialect,
                             const std::vector<PlannedColumn>& columns) {
  return BlockConverter(block, dialect, columns).convert();
}

}  // namespace cromford::table
