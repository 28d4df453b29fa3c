#include "base/random.h"

#include <sodium.h>

#include <bit>
#include <cmath>

#include "base/assert.h"

namespace cromford::base {
namespace {

uint64_t splitmix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

// The natural logarithm of a positive normal number from additions, multiplications and divisions
// only: the one of the C library differs in the last bit between machines.
double portable_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  if (mantissa < 0.70710678118654752440) {
    mantissa *= 2;
    --exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1);  // |s| < 0.1716
  const double square = s * s;
  double sum = 0;
  for (int power = 23; power >= 1; power -= 2) {
    sum = sum * square + 1.0 / power;
  }
  return 2 * s * sum + exponent * 0.69314718055994530942;
}

class SystemEntropy final : public Entropy {
 public:
  SystemEntropy() { CROMFORD_ASSERT(sodium_init() >= 0, "libsodium can be used"); }
  void fill(std::span<std::byte> bytes) override { randombytes_buf(bytes.data(), bytes.size()); }
};

}  // namespace

Random::Random(uint64_t seed) : state_{}, seed_(seed) {
  uint64_t state = seed;
  for (uint64_t& word : state_) {
    word = splitmix64(state);
  }
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() {
  return static_cast<double>(next() >> 11U) * 0x1.0p-53;
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  while (true) {
    const double x = 2 * uniform() - 1;
    const double y = 2 * uniform() - 1;
    const double radius = x * x + y * y;
    if (radius > 0 && radius < 1) {
      const double factor = std::sqrt(-2 * portable_log(radius) / radius);
      spare_normal_ = y * factor;
      has_spare_ = true;
      return x * factor;
    }
  }
}

uint64_t Random::below(uint64_t n) {
  CROMFORD_ASSERT(n > 0, "there is no number below zero");
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(next()) * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t threshold = (0 - n) % n;
    while (static_cast<uint64_t>(product) < threshold) {
      product = static_cast<Wide>(next()) * n;
    }
  }
  return static_cast<uint64_t>(product >> 64U);
}

Random Random::split(uint64_t stream) const {
  uint64_t state = seed_;
  const uint64_t mixed = splitmix64(state);
  state = stream ^ 0xd1b54a32d192ed03U;
  return Random(mixed ^ std::rotl(splitmix64(state), 32));
}

Entropy& system_entropy() {
  static SystemEntropy entropy;
  return entropy;
}

}  // namespace cromford::base
