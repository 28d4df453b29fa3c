#pragma once

// `cromford audit verify FILE`: the proof of an export without server and home.
//
//   environment.verify_audit = verify_audit;
//
// Thread safety: a function.

#include <absl/status/statusor.h>

#include <string>

#include "cli/environment.h"

namespace cromford::main_program {

// The report as JSON text. NOT_FOUND where a file is not there; see govern::verify_export for the
// rest.
absl::StatusOr<std::string> verify_audit(const cli::AuditVerification& asked);

}  // namespace cromford::main_program
