#pragma once

// The mergeable state behind a profile, and its bytes (docs/formats/profile.md).
//
//   TRY(TableState state, read_state(schema, profile.state));
//   state.merge(later);
//   profile.state = write_state(schema, state);
//
// Thread safety: values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "table/profile.h"
#include "table/profile_column.h"
#include "table/profile_sketch.h"
#include "table/table.h"

namespace cromford::table {

using ColumnState = std::variant<NumberState, TextState>;

struct TableState {
  explicit TableState(const Schema& schema);

  // The columns and the number of rows of `later`, which has the same schema, come behind these;
  // `rows` is merged by itself.
  void merge_columns(const TableState& later);

  // The same rows with the columns of a wider schema: columns that are new are missing in all rows.
  // INVALID_ARGUMENT where a column is not there any more or its type cannot hold the values. Rows
  // before and after are not found equal any more, and values counted by sketches may be counted
  // once more when they come again in the other type.
  absl::StatusOr<TableState> widened(const Schema& from, const Schema& to) const;

  int64_t row_count = 0;
  RowSample rows;
  std::vector<ColumnState> columns;
};

std::string write_state(const Schema& schema, const TableState& state);
// DATA_LOSS unless `bytes` are what `write_state` gave for this schema.
absl::StatusOr<TableState> read_state(const Schema& schema, std::string_view bytes);

// The schema that a profile speaks of.
Schema schema_of(const Profile& profile);

// Figures and words (profile_summary.cc, profile_words.cc).
Profile summarize(const Schema& schema, const TableState& state);

// What a column means by its figures.
SemanticType semantic_type_of(const ColumnProfile& column, int64_t row_count);
// Warnings of one column.
void warn_about(const ColumnProfile& column, const ColumnState& state, int64_t row_count,
                std::vector<ProfileWarning>& warnings);
// Warnings of the table as a whole.
std::vector<ProfileWarning> warnings_of_table(const Profile& profile);

// A value as people read it.
std::string value_text(ColumnType type, double value);

// The value below which the share `level` of the weight lies; `items` ascend and are not empty.
double quantile_of(std::span<const WeightedNumber> items, double level);

}  // namespace cromford::table
