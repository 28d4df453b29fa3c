#include "base/status.h"

#include <gtest/gtest.h>

namespace cromford::base {
namespace {

absl::StatusOr<int> parse(bool good) {
  if (!good) {
    return invalid("the number is bad", "write a good one");
  }
  return 7;
}

absl::StatusOr<int> twice(bool good) {
  TRY(const int value, parse(good));
  TRY(parse(good));
  return 2 * value;
}

TEST(StatusTest, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(*twice(true), 14);
  const absl::Status status = twice(false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(remedy(status), "write a good one");
  EXPECT_EQ(describe(status), "the number is bad (write a good one)");
}

TEST(StatusTest, FieldErrorsKeepTheirOrderAndSurviveAnnotation) {
  absl::Status status = invalid("two fields are wrong");
  status = with_field_error(std::move(status), {"/rows/0/distance", "not a number"});
  status = with_field_error(std::move(status), {"/rows/1", "not an object"});
  const absl::Status annotated = annotate(status, "endpoint late");
  EXPECT_EQ(message(annotated), "endpoint late: two fields are wrong");
  const std::vector<FieldError> errors = field_errors(annotated);
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].pointer, "/rows/0/distance");
  EXPECT_EQ(errors[1].detail, "not an object");
}

TEST(StatusTest, AnOkStatusStaysOk) {
  EXPECT_TRUE(annotate(absl::OkStatus(), "context").ok());
  EXPECT_TRUE(field_errors(absl::OkStatus()).empty());
}

}  // namespace
}  // namespace cromford::base
