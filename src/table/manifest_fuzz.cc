// Any bytes are a manifest or an error; what is read is written the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "table/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = cromford::table::parse_manifest(text);
  if (manifest.ok()) {
    const auto again = cromford::table::parse_manifest(cromford::table::format_manifest(*manifest));
    if (!again.ok() || *again != *manifest) {
      std::abort();
    }
  }
  return 0;
}
