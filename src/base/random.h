#pragma once

// Random numbers of two kinds that must not be confused: `Random` is reproducible (the same seed
// gives the same numbers on every machine, which is what makes training deterministic), `Entropy`
// is unpredictable (ids, tokens). Nothing else in the program draws random numbers; in particular
// the distributions of <random> are avoided because they differ between standard libraries.
//
//   base::Random random(settings.seed);
//   base::Random folds = random.split(7);       // an independent stream, by number
//   folds.shuffle(std::span<uint32_t>(rows));
//   if (random.uniform() < 0.1) { ... }
//
// Thread safety: `Random` is a value and belongs to one thread; `Entropy` may be shared.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace cromford::base {

// xoshiro256** 1.0 (Blackman and Vigna 2018, https://prng.di.unimi.it), its state filled by
// splitmix64 from the seed.
class Random {
 public:
  using result_type = uint64_t;  // NOLINT(readability-identifier-naming): the standard's own name.

  explicit Random(uint64_t seed);

  uint64_t next();
  // Uniform in [0, 1) with 53 random bits.
  double uniform();
  // Standard normal, by the polar method of Marsaglia; one value is kept for the next call.
  double normal();
  // Uniform in [0, n) without bias (Lemire 2019); n must not be 0.
  uint64_t below(uint64_t n);
  // A generator that is independent of this one and of every other stream; does not advance this
  // one, so the numbers of a stream do not depend on the order in which streams are made.
  Random split(uint64_t stream) const;

  // Fisher and Yates' shuffle, from the end to the beginning.
  template <typename T>
  void shuffle(std::span<T> items) {
    for (size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[below(i)]);
    }
  }

  // So that it can serve the algorithms of the standard library.
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }
  uint64_t operator()() { return next(); }

 private:
  uint64_t state_[4];
  uint64_t seed_;
  double spare_normal_ = 0;
  bool has_spare_ = false;
};

// A source of bytes that nobody can predict.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(std::span<std::byte> bytes) = 0;
};

// The operating system's source; lives for ever.
Entropy& system_entropy();

}  // namespace cromford::base
