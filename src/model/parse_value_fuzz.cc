// Any text in a column of any type: an error or a value, and a number that is written out and read
// again is the same.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "model/contract.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cromford::model::InputType;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const InputType type : {InputType::kNumber, InputType::kBoolean, InputType::kText,
                               InputType::kDate, InputType::kTimestamp}) {
    const auto value = cromford::model::parse_value(type, text);
    if (!value.ok() || type != InputType::kNumber || std::isnan(value->number)) {
      continue;
    }
    std::string written;
    cromford::base::append_number(written, value->number);
    const auto again = cromford::model::parse_value(type, written);
    if (!again.ok() || again->number != value->number) {
      std::abort();
    }
  }
  return 0;
}
