#pragma once

// The stored files of a dataset version: its manifest, and its parts as a table that the data
// engine reads.
//
//   TRY(const Versioned version, find_reference(context, "dataset", project, "flights@1"));
//   TRY(const table::StoredTable stored, stored_table(context, version));
//
// Thread safety: free functions.

#include <vector>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"
#include "table/manifest.h"
#include "table/scan.h"
#include "table/table.h"

namespace cromford::app {

absl::StatusOr<table::Manifest> read_manifest(const Context& context, const Versioned& dataset);

// DATA_LOSS names a part that is gone.
absl::StatusOr<table::StoredTable> stored_table(const Context& context,
                                                const table::Manifest& manifest);
absl::StatusOr<table::StoredTable> stored_table(const Context& context, const Versioned& dataset);
// The same for work that reads all of it anyway: DATA_LOSS where a byte of a part has changed.
absl::StatusOr<table::StoredTable> verified_table(const Context& context, const Versioned& dataset);

// For a worker: {"schema":[{name,type}],"parts":[path]}, and back.
base::Json stored_table_json(const table::StoredTable& stored);
absl::StatusOr<table::StoredTable> stored_table_from(const base::Json& document);

base::Json schema_json(const table::Schema& schema);
absl::StatusOr<table::Schema> schema_from(const base::Json& columns);

// {"columns":[{name,type}],"rows":[[cell]]}: numbers and booleans as such, dates and times as text,
// missing as null.
base::Json rows_json(const table::Schema& schema, const table::Table& rows);

}  // namespace cromford::app
