#pragma once

// Sees the rows of a query in passing, while the engine does something else with them: so that what
// is written need not be read again to be hashed and profiled. For import.cc.
//
//   RowTap tap(schema, {.make_visitor = ..., .sink = ..., .held_bytes_max = 64 << 20});
//   TRY(tap.register_function(connection, "cromford_tap"));
//   const std::string select = tap.select_through("cromford_tap", numbered_select);
//   ... COPY (select) TO ..., which gave `row_count` rows ...
//   TRY(const bool seen, tap.finish(row_count));      // false: it gave up, read the rows again
//
// The rows of `numbered_select` have the columns of the schema and `kRowNumber`, which counts them
// from 0 in the order in which they are stored. The engine's threads each bring pieces of rows in a
// row, in any order; visitors get whole blocks of `kBlockRows` in the order of their rows, as from
// `for_each_block`, and on several threads at once. A piece that comes before its turn is copied
// and held; where that would take more memory than allowed, the tap gives up and lets all rows pass
// unseen.
//
// Thread safety: the engine's threads call the registered function, until the query has ended; all
// else belongs to one thread. The tap must outlive the query.

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "table/chunk.h"
#include "table/duck.h"
#include "table/table.h"

namespace cromford::table {

struct RowTapOptions {
  BlockVisitorFactory make_visitor;
  BlockSink sink;
  uint64_t held_bytes_max = 64ULL << 20;  // of copied rows and of blocks that wait
};

class RowTap {
 public:
  static constexpr std::string_view kRowNumber = "cromford row number";

  // The engine looks at all arguments of a function again for each of them.
  static constexpr size_t kColumnsMax = 300;

  // Whether rows of this schema can be seen: there are not too many columns, and none of them has a
  // name that the tap needs.
  static bool fits(const Schema& schema);

  RowTap(Schema schema, RowTapOptions options);
  ~RowTap();
  RowTap(const RowTap&) = delete;
  RowTap& operator=(const RowTap&) = delete;

  absl::Status register_function(duck::Connection& connection, const std::string& name);
  std::string select_through(const std::string& name, const std::string& numbered_select) const;

  // What a visitor or the sink said, which is why the query has failed; OK where neither did.
  absl::Status status() const;
  // After the query: gives away the last block. Whether all rows were seen.
  absl::StatusOr<bool> finish(int64_t row_count);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace cromford::table
