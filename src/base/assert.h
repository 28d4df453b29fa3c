#pragma once

// CROMFORD_ASSERT: an invariant of the program itself. When it does not hold, the place, the
// condition and the reason go to the log and the program aborts, in every build type. Never use it
// on data from outside: that is what statuses are for.
//
//   CROMFORD_ASSERT(begin <= end, "the parts are sorted when they are read");
//
// Thread safety: may be used everywhere.

#include <string_view>

namespace cromford::base {

[[noreturn]] void assertion_failed(std::string_view file, int line, std::string_view condition,
                                   std::string_view reason);

}  // namespace cromford::base

#define CROMFORD_ASSERT(condition, reason)                                          \
  do {                                                                              \
    if (!(condition)) [[unlikely]] {                                                \
      ::cromford::base::assertion_failed(__FILE__, __LINE__, #condition, (reason)); \
    }                                                                               \
  } while (false)
