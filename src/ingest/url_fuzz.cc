// No text may pass the guard and name a special-purpose address or carry credentials.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ingest/address_guard.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cromford::ingest::AddressPolicy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cromford::ingest::is_public_literal(text);
  const auto any = cromford::ingest::check_url(text, AddressPolicy::kAny);
  const auto checked = cromford::ingest::check_url(text, AddressPolicy::kPublic);
  if (!checked.ok()) {
    return 0;
  }
  // What passes must pass again as it came back, and be the same.
  const auto again = cromford::ingest::check_url(checked->url, AddressPolicy::kPublic);
  const bool literal = checked->host.find_first_not_of("0123456789.") == std::string::npos ||
                       checked->host.find(':') != std::string::npos;
  if (!any.ok() || !again.ok() || again->host != checked->host ||
      (literal && checked->host.find('.') != std::string::npos &&
       checked->host.rfind("127.", 0) == 0)) {
    std::abort();
  }
  return 0;
}
