#include "base/dynamic_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::base {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

TEST(DynamicLibraryTest, FindsAFunctionThatCanBeCalled) {
  ASSERT_OK_AND_ASSIGN(const DynamicLibrary library, DynamicLibrary::open("libm.so.6"));
  double (*round_down)(double) = nullptr;
  ASSERT_OK(library.find("floor", round_down));
  EXPECT_EQ(round_down(2.5), 2.0);
}

TEST(DynamicLibraryTest, AMissingLibraryIsNamedWithTheRemedy) {
  const auto library = DynamicLibrary::open("libcromford_has_none.so.1");
  ASSERT_THAT(library, StatusIs(absl::StatusCode::kInternal, HasSubstr("libcromford_has_none")));
  EXPECT_THAT(remedy(library.status()), HasSubstr("install libcromford_has_none.so.1"));
}

TEST(DynamicLibraryTest, AMissingFunctionIsNamedAndNothingIsSet) {
  ASSERT_OK_AND_ASSIGN(const DynamicLibrary library, DynamicLibrary::open("libm.so.6"));
  double (*function)(double) = nullptr;
  EXPECT_THAT(library.find("floor_of_cromford", function),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("floor_of_cromford")));
  EXPECT_EQ(function, nullptr);
}

}  // namespace
}  // namespace cromford::base
