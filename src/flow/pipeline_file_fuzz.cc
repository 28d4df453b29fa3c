// Any bytes as a pipeline file: never a crash, and what is accepted survives a round trip as JSON.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/status.h"
#include "flow/pipeline_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = cromford::flow::parse_pipeline(text);
  if (spec.ok()) {
    const auto again = cromford::flow::pipeline_from_json(cromford::flow::to_json(*spec));
    if (!again.ok() || !(*again == *spec)) {
      std::abort();
    }
  } else if (cromford::base::message(spec.status()).empty()) {
    std::abort();
  }
  return 0;
}
