// Any body is answered by JSON or refused with a message; nothing else happens.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "serve/known_packages.h"
#include "serve/predict_json.h"

namespace {

using namespace cromford;         // NOLINT(google-build-using-namespace)
using namespace cromford::serve;  // NOLINT(google-build-using-namespace)

std::shared_ptr<const Endpoint> make_endpoint() {
  auto endpoint = Endpoint::create(
      {.project = "p",
       .name = "e",
       .variants = {
           {.model = "m", .version = 1, .package = late_package(0.01), .weight = 1},
           {.model = "m",
            .version = 2,
            .package = late_package(0.02),
            .weight = 1,
            .role = Role::kChallenger},
           {.model = "m", .version = 3, .package = late_package(0.03), .role = Role::kShadow}}});
  if (!endpoint.ok()) {
    std::abort();
  }
  return *endpoint;
}

}  // namespace

// The first byte decides whether unknown columns are ignored; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const Endpoint> endpoint = make_endpoint();
  static base::IdSource ids(base::system_clock(), base::system_entropy());
  static const base::Limits limits;
  static Scratch scratch;
  if (size == 0) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  std::string out = "{";
  const absl::Status status =
      predict_json({.ids = ids, .clock = base::system_clock(), .limits = limits}, *endpoint,
                   {.body = body, .ignore_unknown = data[0] % 2 == 1}, scratch, out);
  if (status.ok()) {
    const auto answer = base::parse_json(std::string_view(out).substr(1));
    if (!answer.ok() || !answer->contains("predictions")) {
      std::abort();
    }
  } else if (out != "{" || base::message(status).empty() || !absl::IsInvalidArgument(status)) {
    std::abort();
  }
  return 0;
}
