#pragma once

// Matchers for statuses, for gtest and gmock.
//
//   EXPECT_OK(store.commit(writes));
//   ASSERT_OK_AND_ASSIGN(const Document document, store.get(key));
//   EXPECT_THAT(store.get(missing), StatusIs(absl::StatusCode::kNotFound, HasSubstr("flights")));
//
// Thread safety: as gtest's own.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>

#include "base/codes.h"
#include "base/status.h"

namespace cromford::testing {

namespace internal_matchers {

inline absl::Status as_status(absl::Status status) {
  return status;
}
template <typename T>
absl::Status as_status(const absl::StatusOr<T>& result) {
  return result.status();
}

inline std::string explain(const absl::Status& status) {
  return std::string(base::code_name(status.code())) + ": " + base::describe(status);
}

// Polymorphic: matches Status and StatusOr.
class StatusIsMatcher {
 public:
  StatusIsMatcher(absl::StatusCode code, ::testing::Matcher<std::string> message)
      : code_(code), message_(std::move(message)) {}

  template <typename T>
  bool MatchAndExplain(  // NOLINT(readability-identifier-naming): gmock calls it so.
      const T& value, ::testing::MatchResultListener* listener) const {
    const absl::Status& status = as_status(value);
    *listener << "which is " << explain(status);
    return status.code() == code_ &&
           message_.Matches(status.ok() ? std::string() : std::string(base::message(status)));
  }
  void DescribeTo(std::ostream* out) const {  // NOLINT(readability-identifier-naming)
    *out << "has the code " << base::code_name(code_) << " and a message that ";
    message_.DescribeTo(out);
  }
  void DescribeNegationTo(std::ostream* out) const {  // NOLINT(readability-identifier-naming)
    *out << "does not have the code " << base::code_name(code_) << " or a message that ";
    message_.DescribeTo(out);
  }

 private:
  absl::StatusCode code_;
  ::testing::Matcher<std::string> message_;
};

}  // namespace internal_matchers

// NOLINTBEGIN(readability-identifier-naming): matchers are named like gmock's.
inline auto StatusIs(absl::StatusCode code,
                     ::testing::Matcher<std::string> message = ::testing::_) {
  return ::testing::MakePolymorphicMatcher(
      internal_matchers::StatusIsMatcher(code, std::move(message)));
}

inline auto IsOk() {
  return StatusIs(absl::StatusCode::kOk);
}
// NOLINTEND(readability-identifier-naming)

}  // namespace cromford::testing

#define EXPECT_OK(expression) EXPECT_THAT(expression, ::cromford::testing::IsOk())
#define ASSERT_OK(expression) ASSERT_THAT(expression, ::cromford::testing::IsOk())
#define CROMFORD_ASSERT_OK_TO(temporary, declaration, expression) \
  auto temporary = (expression);                                  \
  ASSERT_OK(temporary);                                           \
  declaration = std::move(temporary).value()
// ASSERT_OK_AND_ASSIGN(declaration, expression): moves the value of a StatusOr out, or fails.
#define ASSERT_OK_AND_ASSIGN(declaration, ...) \
  CROMFORD_ASSERT_OK_TO(CROMFORD_CONCAT(assert_value_, __LINE__), declaration, (__VA_ARGS__))
