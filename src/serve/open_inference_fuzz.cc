// Any body is answered by JSON or refused with a message; nothing else happens.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "serve/known_packages.h"
#include "serve/open_inference.h"

namespace {

using namespace cromford;         // NOLINT(google-build-using-namespace)
using namespace cromford::serve;  // NOLINT(google-build-using-namespace)

std::shared_ptr<const Endpoint> make_endpoint(std::shared_ptr<const model::Package> package) {
  auto endpoint = Endpoint::create(
      {.project = "p",
       .name = "e",
       .variants = {{.model = "m", .version = 1, .package = package, .weight = 1},
                    {.model = "m", .version = 2, .package = package, .role = Role::kShadow}}});
  if (!endpoint.ok()) {
    std::abort();
  }
  return *endpoint;
}

}  // namespace

// The first byte chooses the model; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::shared_ptr<const Endpoint>> endpoints = {
      make_endpoint(late_package()), make_endpoint(sum_package()), make_endpoint(colour_package())};
  static base::IdSource ids(base::system_clock(), base::system_entropy());
  static const base::Limits limits;
  static Scratch scratch;
  if (size == 0) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  std::string out = "{";
  const absl::Status status = open_inference_infer(
      {.ids = ids, .clock = base::system_clock(), .limits = limits},
      *endpoints[data[0] % endpoints.size()], {.model_name = "m", .body = body}, scratch, out);
  if (status.ok()) {
    const auto answer = base::parse_json(std::string_view(out).substr(1));
    if (!answer.ok() || !answer->contains("outputs")) {
      std::abort();
    }
  } else if (out != "{" || base::message(status).empty()) {
    std::abort();
  }
  return 0;
}
