#include "base/assert.h"

#include <cstdlib>

#include "base/log.h"

namespace cromford::base {

void assertion_failed(std::string_view file, int line, std::string_view condition,
                      std::string_view reason) {
  log_error("assertion failed",
            {{"condition", condition}, {"reason", reason}, {"file", file}, {"line", line}});
  std::abort();
}

}  // namespace cromford::base
