#include "testing/data.h"

#include <iostream>
#include <system_error>

namespace cromford::testing {

std::optional<std::filesystem::path> find_shared_data(std::string_view shared_directory,
                                                      std::string_view relative) {
  std::filesystem::path path = std::filesystem::path(shared_directory) / "data" / relative;
  std::error_code error;
  if (shared_directory.empty() || !std::filesystem::exists(path, error)) {
    std::cerr << "skipped: " << path.native() << " is not here\n";
    return std::nullopt;
  }
  return path;
}

}  // namespace cromford::testing
