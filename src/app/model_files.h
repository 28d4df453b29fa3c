#pragma once

// The stored package of a model version.
//
//   TRY(const Versioned version, find_reference(context, "model", project, "late@3"));
//   TRY(const std::filesystem::path file, package_file(context, version));
//
// Thread safety: free functions.

#include <filesystem>

#include "app/context.h"
#include "base/status.h"

namespace cromford::app {

// DATA_LOSS where the object is gone.
absl::StatusOr<std::filesystem::path> package_file(const Context& context, const Versioned& model);

}  // namespace cromford::app
