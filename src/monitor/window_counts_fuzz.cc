// Feeds damaged counts to the decoder; what is read must be written as it was, and merge.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "monitor/window_counts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Behind the checksum, which no input would meet by chance.
  std::string bytes = "CFWC";
  bytes.append(reinterpret_cast<const char*>(data), size);
  const uint32_t crc = cromford::base::crc32c(std::string_view(bytes));
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(crc >> shift & 0xffU);
  }
  const auto window = cromford::monitor::decode_window_counts(bytes);
  if (!window.ok()) {
    return 0;
  }
  const auto again = cromford::monitor::decode_window_counts(cromford::monitor::encode(*window));
  if (!again.ok() || *again != *window) {
    std::abort();
  }
  cromford::monitor::WindowCounts sum = *window;
  if (!cromford::monitor::merge(*again, sum).ok() || sum.rows != 2 * window->rows) {
    std::abort();
  }
  return 0;
}
