#pragma once

// Errors of the whole program. Every function that can fail returns absl::Status or absl::StatusOr;
// `TRY` passes an error on. A message names the thing; the remedy (what the user can do) travels
// beside it, so that the command line, HTTP and the console can each show it in their own way.
//
//   absl::StatusOr<Config> read_config(std::string_view path) {
//     TRY(std::string text, fs.read(path));
//     if (text.empty()) {
//       return base::invalid(fmt::format("the configuration {} is empty", path),
//                            "write at least `listen: 127.0.0.1:7040` into it");
//     }
//     TRY(check(text));
//     ...
//
// Thread safety: statuses are values.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cromford::base {

// One field that is to blame for an error; `pointer` is a JSON pointer (RFC 6901) into the request.
struct FieldError {
  std::string pointer;
  std::string detail;
};

// Bad input: HTTP 400, exit code 2.
absl::Status invalid(std::string_view detail, std::string_view remedy = {});
// No such thing: HTTP 404, exit code 5.
absl::Status not_found(std::string_view detail, std::string_view remedy = {});
// It exists already, or somebody else changed it meanwhile: HTTP 409, exit code 6.
absl::Status conflict(std::string_view detail, std::string_view remedy = {});
// A check, gate or policy says no: HTTP 422, exit code 3.
absl::Status refused(std::string_view detail, std::string_view remedy = {});
// The caller may not do this: HTTP 403, exit code 4.
absl::Status denied(std::string_view detail, std::string_view remedy = {});
// A limit is reached; the detail names the limit and its value: HTTP 422, exit code 1.
absl::Status exhausted(std::string_view detail, std::string_view remedy = {});
// Not reachable or not ready now: HTTP 503, exit code 7.
absl::Status unavailable(std::string_view detail, std::string_view remedy = {});
// Cancelled by the user: HTTP 499, exit code 130.
absl::Status cancelled(std::string_view detail);
// Data on disk is damaged: HTTP 500, exit code 1.
absl::Status damaged(std::string_view detail, std::string_view remedy = {});
// A fault of the program or of the outside world: HTTP 500, exit code 1.
absl::Status internal(std::string_view detail, std::string_view remedy = {});

// The message of `status`, valid as long as it lives. (Debian's absl::string_view does not convert
// to std::string_view, which is why the rest of the program uses fmt and these functions only.)
std::string_view message(const absl::Status& status);

// The remedy that travels with `status`, or an empty string.
std::string remedy(const absl::Status& status);
absl::Status with_remedy(absl::Status status, std::string_view remedy);

// The fields to blame, in the order in which they were added; empty where none are named.
std::vector<FieldError> field_errors(const absl::Status& status);
absl::Status with_field_error(absl::Status status, const FieldError& error);

// `status` with "CONTEXT: " before its message; code, remedy and fields stay.
absl::Status annotate(const absl::Status& status, std::string_view context);

// "MESSAGE (REMEDY)" on one line, for logs and terminals.
std::string describe(const absl::Status& status);

namespace internal_status {
inline absl::Status as_status(absl::Status status) {
  return status;
}
template <typename T>
absl::Status as_status(const absl::StatusOr<T>& result) {
  return result.status();
}
}  // namespace internal_status

}  // namespace cromford::base

#define CROMFORD_CONCAT_INNER(a, b) a##b
#define CROMFORD_CONCAT(a, b) CROMFORD_CONCAT_INNER(a, b)
#define CROMFORD_TRY_SELECT(_1, _2, NAME, ...) NAME
#define CROMFORD_TRY_STATUS(expression)                                \
  do {                                                                 \
    if (auto&& try_result = (expression); !try_result.ok()) {          \
      return ::cromford::base::internal_status::as_status(try_result); \
    }                                                                  \
  } while (false)
#define CROMFORD_TRY_ASSIGN_TO(temporary, declaration, expression) \
  auto temporary = (expression);                                   \
  if (!temporary.ok()) {                                           \
    return std::move(temporary).status();                          \
  }                                                                \
  declaration = std::move(temporary).value()
#define CROMFORD_TRY_ASSIGN(declaration, expression) \
  CROMFORD_TRY_ASSIGN_TO(CROMFORD_CONCAT(try_value_, __LINE__), declaration, expression)

// `TRY(expression)` returns the error of a Status or StatusOr to the caller.
// `TRY(declaration, expression)` also moves the value out of a StatusOr. An expression with a comma
// outside parentheses is wrapped in parentheses.
#define TRY(...) \
  CROMFORD_TRY_SELECT(__VA_ARGS__, CROMFORD_TRY_ASSIGN, CROMFORD_TRY_STATUS, )(__VA_ARGS__)
