#pragma once

// What compaction needs of a log beyond its interface. For the sources of this folder.
//
// Thread safety: may be shared by threads.

#include <absl/status/statusor.h>

#include <string_view>
#include <vector>

#include "feedback/core.h"
#include "feedback/log.h"

namespace cromford::feedback {

class LogAccess : public Log {
 public:
  virtual Core& core() = 0;
  // Makes known to the joiner what the writers have written.
  virtual void take_arrivals() = 0;
  // The outcomes of an id, the one that counts first.
  virtual absl::StatusOr<std::vector<Outcome>> outcomes_of(std::string_view endpoint,
                                                           std::string_view id) = 0;
};

}  // namespace cromford::feedback
