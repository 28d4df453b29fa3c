#pragma once

// Query results gathered into a table in memory. For the sources of this folder.
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <string>

#include "base/cancel.h"
#include "table/duck.h"
#include "table/table.h"

namespace cromford::table {

// Runs a SELECT whose columns have exactly the types of `schema`.
absl::StatusOr<Table> collect_table(duck::Connection& connection, const std::string& select,
                                    const Schema& schema, const base::CancelToken& cancel,
                                    duck::Origin origin);

}  // namespace cromford::table
