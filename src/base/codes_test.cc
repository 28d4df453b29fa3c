#include "base/codes.h"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "base/status.h"

namespace cromford::base {
namespace {

using absl::StatusCode;

TEST(CodesTest, TheTableIsTheContract) {
  const std::vector<std::tuple<StatusCode, std::string_view, int, int, int>> rows{
      {StatusCode::kOk, "OK", 200, 0, 0},
      {StatusCode::kCancelled, "CANCELLED", 499, 1, 130},
      {StatusCode::kUnknown, "UNKNOWN", 500, 2, 1},
      {StatusCode::kInvalidArgument, "INVALID_ARGUMENT", 400, 3, 2},
      {StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", 504, 4, 1},
      {StatusCode::kNotFound, "NOT_FOUND", 404, 5, 5},
      {StatusCode::kAlreadyExists, "ALREADY_EXISTS", 409, 6, 6},
      {StatusCode::kPermissionDenied, "PERMISSION_DENIED", 403, 7, 4},
      {StatusCode::kResourceExhausted, "RESOURCE_EXHAUSTED", 422, 8, 1},
      {StatusCode::kFailedPrecondition, "FAILED_PRECONDITION", 422, 9, 3},
      {StatusCode::kAborted, "ABORTED", 409, 10, 6},
      {StatusCode::kOutOfRange, "OUT_OF_RANGE", 400, 11, 2},
      {StatusCode::kUnimplemented, "UNIMPLEMENTED", 501, 12, 1},
      {StatusCode::kInternal, "INTERNAL", 500, 13, 1},
      {StatusCode::kUnavailable, "UNAVAILABLE", 503, 14, 7},
      {StatusCode::kDataLoss, "DATA_LOSS", 500, 15, 1},
      {StatusCode::kUnauthenticated, "UNAUTHENTICATED", 401, 16, 4},
  };
  for (const auto& [code, name, http, grpc, exit] : rows) {
    EXPECT_EQ(code_name(code), name);
    EXPECT_EQ(code_from_name(name), code);
    EXPECT_EQ(http_status(code), http) << name;
    EXPECT_EQ(grpc_code(code), grpc) << name;
    EXPECT_EQ(exit_code(code), exit) << name;
    EXPECT_FALSE(code_title(code).empty());
    // A client that sees the HTTP status alone ends with the same code, as far as it can tell.
    // (501 and 504 are of several codes, and 422 is of refusals first.)
    if (http != 501 && http != 504 && code != StatusCode::kResourceExhausted) {
      EXPECT_EQ(exit_code_for_http(http), exit) << name;
    }
  }
  EXPECT_EQ(code_name(static_cast<StatusCode>(99)), "UNKNOWN");
  EXPECT_FALSE(code_from_name("NONSENSE").has_value());
}

TEST(CodesTest, OnlyWhatIsSaidToPassPasses) {
  EXPECT_FALSE(is_passing(exhausted("too many columns")));
  EXPECT_TRUE(is_passing(annotate(passing(exhausted("the queue is full")), "import")));
}

TEST(CodesTest, OtherHttpStatusesHaveAnExitCode) {
  EXPECT_EQ(exit_code_for_http(202), 0);
  EXPECT_EQ(exit_code_for_http(302), 0);
  EXPECT_EQ(exit_code_for_http(410), 5);
  EXPECT_EQ(exit_code_for_http(412), 6);
  EXPECT_EQ(exit_code_for_http(413), 2);
  EXPECT_EQ(exit_code_for_http(428), 2);
  EXPECT_EQ(exit_code_for_http(502), 7);
  EXPECT_EQ(exit_code_for_http(504), 1);
  EXPECT_EQ(exit_code_for_http(0), 1);
}

}  // namespace
}  // namespace cromford::base
