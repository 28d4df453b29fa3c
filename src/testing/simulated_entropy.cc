#include "testing/simulated_entropy.h"

namespace cromford::testing {

void SimulatedEntropy::fill(std::span<std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random_.next() >> 56U);
  }
}

}  // namespace cromford::testing
