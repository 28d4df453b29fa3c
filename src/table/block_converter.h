#pragma once

// Rows of text made into typed vectors of the data engine. This runs on several threads at a time;
// everything that it finds out is returned with the block and put together in order afterwards.
//
//   const ConvertedBlock converted = convert_block(block, dialect, plans);
//
// Thread safety: a function without state.

#include <cstdint>
#include <string>
#include <vector>

#include "table/column_plan.h"
#include "table/duck.h"
#include "table/row_scanner.h"

namespace cromford::table {

struct ConvertedBlock {
  std::vector<duck::DataChunk> chunks;  // vectors of the plans' types
  int64_t row_count = 0;                // in the chunks
  std::vector<BadRow> bad;              // of the scanner and of misfits, by line
  std::vector<Misfits> misfits;         // one for each column
  std::vector<MissingMarks> marks;      // that occurred, one for each column
  std::vector<int64_t> infinite;        // infinities taken as missing, one for each column
};

// The file's columns and what they are to become, in order.
struct PlannedColumn {
  std::string name;
  ColumnPlan plan;
};

// Takes the block's bad rows out of it. A row with a cell that does not fit its column's plan is
// bad as well.
ConvertedBlock convert_block(RowBlock& block, const Dialect& dialect,
                             const std::vector<PlannedColumn>& columns);

}  // namespace cromford::table
