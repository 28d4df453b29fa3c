#pragma once

// The first wall of the sandbox: what a user's SQL says, read from the tree into which the data
// engine parses it. Everything that is not known to be harmless is refused.
//
//   TRY(const QueryShape shape, inspect_query("select * from input where delay > 15"));
//
// Thread safety: functions only; each makes an engine for itself.

#include <absl/status/statusor.h>

#include <string_view>

namespace cromford::table {

struct QueryShape {
  // Each row of the result comes from one row of `input`, in its order: the order of the rows and
  // their values do not depend on the number of threads.
  bool row_wise = false;
};

// INVALID_ARGUMENT when `sql` is not one SELECT over `input` with allowed things only.
absl::StatusOr<QueryShape> inspect_query(std::string_view sql);

// `sql` without blanks and semicolons at its end.
std::string_view trim_query(std::string_view sql);

}  // namespace cromford::table
