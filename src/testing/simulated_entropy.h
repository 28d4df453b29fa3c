#pragma once

// "Unpredictable" bytes that are the same in every run of a test.
//
//   testing::SimulatedEntropy entropy(7);
//   base::IdSource ids(clock, entropy);
//
// Thread safety: may be shared by threads (which then makes the order of bytes theirs).

#include <mutex>

#include "base/random.h"

namespace cromford::testing {

class SimulatedEntropy final : public base::Entropy {
 public:
  explicit SimulatedEntropy(uint64_t seed = 1) : random_(seed) {}
  void fill(std::span<std::byte> bytes) override;

 private:
  std::mutex mutex_;
  base::Random random_;
};

}  // namespace cromford::testing
