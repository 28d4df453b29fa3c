#include "http/method.h"

#include <array>
#include <utility>

namespace cromford::http {
namespace {

constexpr std::array<std::pair<std::string_view, Method>, 5> kNames = {{
    {"GET", Method::kGet},
    {"POST", Method::kPost},
    {"HEAD", Method::kHead},
    {"PUT", Method::kPut},
    {"DELETE", Method::kDelete},
}};

}  // namespace

std::string_view method_name(Method method) {
  for (const auto& [name, known] : kNames) {
    if (known == method) {
      return name;
    }
  }
  return "other";
}

Method method_from_name(std::string_view name) {
  for (const auto& [known, method] : kNames) {
    if (known == name) {
      return method;
    }
  }
  return Method::kOther;
}

}  // namespace cromford::http
