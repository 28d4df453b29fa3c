#pragma once

// The methods of HTTP that the program knows.
//
//   if (is_safe(request.method)) { ... }
//
// Thread safety: functions only.

#include <string_view>

namespace cromford::http {

enum class Method { kGet, kHead, kPost, kPut, kDelete, kOther };

// "GET"; "other" for kOther.
std::string_view method_name(Method method);
Method method_from_name(std::string_view name);
// Whether it promises to change nothing.
inline bool is_safe(Method method) {
  return method == Method::kGet || method == Method::kHead;
}

}  // namespace cromford::http
