#pragma once

// The job that makes a dataset version: the server's half. The rows are read in a child process
// (import_worker.cc); the server then takes the files over as objects and commits the version.
//
//   TRY(check_import(caller, request));
//   runner.submit({.kind = "import", .payload = import_payload("flights", request), ...});
//
// The job's result: {"dataset","version","row_count","quarantined","unchanged"}. When the rows are
// those of the newest version already, no version is made and `unchanged` is true.
//
// Thread safety: as flow::JobKind.

#include <memory>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/context.h"
#include "flow/runner.h"

namespace cromford::app {

// INVALID_ARGUMENT where there is no such format of rows; empty is any.
absl::Status check_import_format(std::string_view format);

// The formats that may be named.
const std::vector<std::string>& import_formats();
// Everything that can be refused before a job is made: sources, rights, query, format, checks.
absl::Status check_import(const Caller& caller, const ImportRequest& request);
// An address as anybody may see it: without its query, where signatures and tokens stand.
std::string shown_url(const std::string& url);
std::string import_payload(const std::string& dataset, const ImportRequest& request);

std::unique_ptr<flow::JobKind> make_import_kind(Context& context);

}  // namespace cromford::app
