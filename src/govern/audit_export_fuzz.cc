// Any bytes as an export, a checkpoint, a key: they are read or refused, never more; and what is
// accepted as an export says what its checkpoint says.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "govern/checkpoint.h"
#include "govern/export.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cromford::govern;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto alone = verify_export(bytes, {});
  if (alone.ok() && alone->personal_count + alone->erased_count > alone->checkpoint.size) {
    std::abort();
  }
  // The last note of the input as the older checkpoint of the rest, and of itself.
  const size_t gap = bytes.rfind("cromford/");
  if (gap != std::string_view::npos) {
    (void)verify_export(bytes, {.old_checkpoint = std::string(bytes.substr(gap))});
  }
  (void)parse_checkpoint(bytes);
  if (const auto verifier = parse_verifier(bytes); verifier.ok() && verifier->text() != bytes) {
    std::abort();  // One key has one spelling.
  }
  return 0;
}
