// Everything in base that reads bytes from outside: JSON, times, sizes, durations, names, hashes,
// encodings. What is accepted must survive being written and read again.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::base {
namespace {

void check(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void fuzz_json(std::string_view text) {
  const auto document = parse_json(text);
  if (document.ok()) {
    const std::string dumped = dump_json(*document);
    const auto again = parse_json(dumped);
    check(again.ok() && dump_json(*again) == dumped);
    check(parse_json(pretty_json(*document)).ok());
  } else {
    check(!message(document.status()).empty());
  }
}

void fuzz_quantities(std::string_view text) {
  if (const auto time = parse_time(text); time.ok()) {
    const std::string written = format_time(*time);
    const auto again = parse_time(written);
    check(again.ok() && format_time(*again) == written);
  }
  if (const auto size = parse_size(text); size.ok()) {
    check(!format_size(*size).empty());
  }
  if (const auto duration = parse_duration(text); duration.ok()) {
    const auto again = parse_duration(format_duration(*duration));
    check(again.ok() && *again <= *duration);
  }
  if (const auto number = to_number<double>(text)) {
    std::string written;
    append_number(written, *number);
    check(to_number<double>(written) == number);
  }
}

void fuzz_names(std::string_view text) {
  if (const auto name = parse_versioned_name("model", text); name.ok()) {
    check(check_name("model", name->name).ok());
    check(parse_versioned_name("model", name->text()).ok());
  }
  if (const auto hash = parse_content_hash(text); hash.ok()) {
    check(hash->text() == text);
  }
  (void)is_id(text);
  const size_t middle = text.size() / 2;
  const std::string_view candidate = text.substr(0, middle);
  const std::string near = nearest(text.substr(middle), std::span(&candidate, 1));
  check(near.empty() || near == candidate);
}

void fuzz_encodings(std::string_view text) {
  check(from_hex(to_hex(text)) == text);
  check(from_base64url(to_base64url(text)) == text);
  if (const auto bytes = from_base64url(text)) {
    check(to_base64url(*bytes) == text);
  }
  const std::string_view clipped = clip_utf8(text, text.size() / 2);
  check(!is_utf8(text) || is_utf8(clipped));
  check(is_utf8(dump_json(Json(std::string(text)))));
  (void)hash64(text);
  (void)crc32c(text);
}

}  // namespace
}  // namespace cromford::base

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cromford::base::fuzz_json(text);
  cromford::base::fuzz_quantities(text);
  cromford::base::fuzz_names(text);
  cromford::base::fuzz_encodings(text);
  return 0;
}
