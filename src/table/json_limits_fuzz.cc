// Any bytes, in pieces of any size, are within the limits or refused with a reason; how the bytes
// are cut into pieces changes nothing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/status.h"
#include "table/json_limits.h"

using cromford::table::JsonLimits;

namespace {

absl::Status push_all(std::string_view bytes, size_t piece, JsonLimits::Layout layout) {
  JsonLimits limits("fuzz.json", layout);
  for (size_t at = 0; at < bytes.size(); at += piece) {
    if (absl::Status status = limits.push(bytes.substr(at, piece)); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

// The first byte is the size of the pieces and the layout.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto layout = data[0] % 2 == 0 ? JsonLimits::Layout::kDocument : JsonLimits::Layout::kLines;
  const absl::Status whole = push_all(bytes, bytes.size() + 1, layout);
  const absl::Status pieces = push_all(bytes, size_t{data[0]} / 2 + 1, layout);
  if (whole.code() != pieces.code() || (!whole.ok() && cromford::base::message(whole).empty())) {
    std::abort();
  }
  return 0;
}
