// The main function of this folder's tests: see test_programs.h.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "flow/test_programs.h"

int main(int argc, char** argv) {
  const int code =
      cromford::flow::run_test_program(std::vector<std::string>(argv + 1, argv + argc));
  if (code >= 0) {
    return code;
  }
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
