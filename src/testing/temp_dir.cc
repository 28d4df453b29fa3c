#include "testing/temp_dir.h"

#include <cstdlib>
#include <string>
#include <system_error>

#include "base/assert.h"

namespace cromford::testing {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "cromford-test-XXXXXX").native();
  CROMFORD_ASSERT(::mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace cromford::testing
