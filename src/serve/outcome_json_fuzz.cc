// Any bytes as the body of `:outcomes`: an error that says something, or records within the limits.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "serve/outcome_json.h"
#include "serve/scoring.h"

using cromford::serve::OutcomeBody;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static OutcomeBody outcomes;
  static const cromford::base::Limits limits;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const absl::Status status = outcomes.parse(body, limits);
  if (!status.ok()) {
    if (cromford::base::message(status).empty() || !absl::IsInvalidArgument(status)) {
      std::abort();
    }
    return 0;
  }
  for (const cromford::feedback::OutcomeRecord& record : outcomes.records()) {
    if (!cromford::serve::is_good_id(record.id, limits.id_bytes) ||
        record.value.text.data() == nullptr) {
      std::abort();
    }
  }
  return 0;
}
