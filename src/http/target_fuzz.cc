// Whatever the target, parsing neither crashes nor accepts what could be read in two ways.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/text.h"
#include "http/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cromford::http::Target;
  static Target target;
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  if (!target.parse(raw).ok()) {
    CROMFORD_ASSERT(target.path().empty() && target.segments().empty(), "errors leave it empty");
    return 0;
  }
  CROMFORD_ASSERT(!target.path().empty() && target.path().front() == '/', "origin form");
  CROMFORD_ASSERT(raw.find(target.path()) != std::string_view::npos, "the path is part of it");
  size_t length = 0;
  for (const std::string_view segment : target.segments()) {
    CROMFORD_ASSERT(segment.find('/') == std::string_view::npos, "segments are between slashes");
    const std::string_view text = target.decode(segment);
    CROMFORD_ASSERT(text != "." && text != "..", "no relative segments");
    CROMFORD_ASSERT(cromford::base::is_utf8(text), "text is UTF-8");
    length += 1 + segment.size();
  }
  CROMFORD_ASSERT(length == target.path().size(), "the segments are the whole path");
  for (const auto& [name, value] : target.queries()) {
    CROMFORD_ASSERT(cromford::base::is_utf8(name) && cromford::base::is_utf8(value), "UTF-8");
    CROMFORD_ASSERT(target.query(name) == value, "each name stands once");
  }
  return 0;
}
