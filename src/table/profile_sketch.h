#pragma once

// The small summaries that profiles are made of. All can be merged, are deterministic, and have a
// compact form that is part of the stored format (docs/formats/profile.md).
//
//   ValueCounter counter;                     // exact counts, then Misra-Gries
//   counter.add(key, profile_hash(key), 1);
//   DistinctSketch distinct;                  // HyperLogLog
//   QuantileSketch quantiles;                 // KLL
//   RowSample rows;                           // distinct rows and repeated rows
//
// Thread safety: values; each belongs to one thread.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "table/profile_codec.h"

namespace cromford::table {

struct CountedKey {
  uint64_t key = 0;
  int64_t count = 0;

  // Most frequent first; equal counts in the order of the keys.
  static bool by_count(const CountedKey& a, const CountedKey& b) {
    return a.count != b.count ? a.count > b.count : a.key < b.key;
  }
};

// How often each key occurs. Every key is counted as long as there are at most `capacity`; `reduce`
// makes room by the rule of Misra and Gries (merging: Agarwal et al., Mergeable Summaries, 2012):
// counts become lower bounds, at most `error()` too low.
class ValueCounter {
 public:
  ValueCounter();

  void add(uint64_t key, uint64_t hash, int64_t count) {
    size_t slot = hash >> shift_;
    while (slots_[slot].count != 0) {
      if (slots_[slot].key == key) {
        slots_[slot].count += count;
        return;
      }
      slot = (slot + 1) & mask_;
    }
    insert(slot, key, count);
  }
  // Brings the place of a key into the cache that will be added soon.
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash >> shift_]); }
  size_t size() const { return size_; }
  int64_t error() const { return error_; }
  // Ascending by key.
  std::vector<CountedKey> sorted() const;
  // Every key with its count, in no order that means anything.
  template <typename Visitor>
  void for_each(Visitor visit) const {
    for (const CountedKey& slot : slots_) {
      if (slot.count != 0) {
        visit(slot);
      }
    }
  }
  // Keeps at most `keep` keys.
  void reduce(size_t keep);
  void keep_if(const std::function<bool(uint64_t)>& wanted);
  void add_error(int64_t error) { error_ += error; }

  // Keys are written ascending.
  void write(StateWriter& out) const;
  bool read(StateReader& in, size_t keys_max);

 private:
  void insert(size_t slot, uint64_t key, int64_t count);
  void rebuild(size_t slot_count, std::span<const CountedKey> keys);

  std::vector<CountedKey> slots_;  // A count of 0 marks a free slot.
  size_t mask_ = 0;
  unsigned shift_ = 0;
  size_t size_ = 0;
  int64_t error_ = 0;
};

struct CountedText {
  std::string_view text;
  int64_t count = 0;

  static bool by_count(const CountedText& a, const CountedText& b) {
    return a.count != b.count ? a.count > b.count : a.text < b.text;
  }
};

// The same for texts. `bytes()` tells when to reduce.
class TextCounter {
 public:
  TextCounter();

  void add(std::string_view text, uint64_t hash, int64_t count);
  size_t size() const { return size_; }
  size_t bytes() const { return arena_.size(); }
  int64_t error() const { return error_; }
  // Ascending by text (bytes); views into this object.
  std::vector<CountedText> sorted() const;
  void reduce(size_t keep);
  void add_error(int64_t error) { error_ += error; }

  void write(StateWriter& out) const;
  bool read(StateReader& in, size_t keys_max, size_t bytes_max);

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t offset = 0;
    uint32_t length = 0;
    int64_t count = 0;
  };
  std::string_view view(const Slot& slot) const {
    return std::string_view(arena_).substr(slot.offset, slot.length);
  }
  bool equals(const Slot& slot, std::string_view text) const;
  void grow();
  void rebuild(size_t slot_count, std::span<const CountedText> texts);

  std::vector<Slot> slots_;
  std::string arena_;
  size_t mask_ = 0;
  unsigned shift_ = 0;
  size_t size_ = 0;
  int64_t error_ = 0;
};

// HyperLogLog (Flajolet et al., 2007) with 8192 registers and the estimator of Ertl ("New
// cardinality estimation algorithms for HyperLogLog sketches", 2017); standard error 1.15%.
class DistinctSketch {
 public:
  static constexpr unsigned kBits = 13;
  static constexpr size_t kRegisters = size_t{1} << kBits;

  void add(uint64_t hash) {
    const size_t index = hash >> (64 - kBits);
    const auto rank =
        static_cast<uint8_t>(__builtin_clzll((hash << kBits) | (uint64_t{1} << (kBits - 1))) + 1);
    if (registers_[index] < rank) {
      registers_[index] = rank;
    }
  }
  void merge(const DistinctSketch& other);
  int64_t estimate() const;

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  static constexpr uint8_t kRankMax = 64 - kBits + 1;
  std::array<uint8_t, kRegisters> registers_{};
};

struct WeightedNumber {
  double value = 0;
  int64_t weight = 0;
};

// KLL quantiles (Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams, 2016), with a
// sampler of one in four at the bottom and coins from a counter, so that equal input gives equal
// output.
class QuantileSketch {
 public:
  void add(double value) {
    if (group_position_ == chosen_ || group_position_ == 0) {
      group_value_ = value;
    }
    if (++group_position_ == kGroup) {
      end_group();
    }
  }
  // A value that occurs `count` times.
  void add_weighted(double value, int64_t count);
  void merge(const QuantileSketch& other);
  // Multiplies all values; `factor` is positive.
  void scale(double factor);
  // Ascending by value; the weights add up to the number of values.
  std::vector<WeightedNumber> items() const;
  int64_t count() const;

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  static constexpr uint32_t kGroup = 4;
  static constexpr uint32_t kGroupLevel = 2;
  static constexpr size_t kAccuracy = 600;
  static constexpr size_t kLevelsMax = 60;

  size_t capacity(size_t level) const;
  void end_group();
  void push(size_t level, double value);
  void compact(size_t level);
  uint64_t coin();

  std::vector<std::vector<double>> levels_;  // The weight of level i is 2^i.
  size_t highest_ = 0;
  uint64_t coins_ = 0;
  double group_value_ = 0;  // One of the present group of four, chosen before they came.
  uint32_t group_position_ = 0;
  uint32_t chosen_ = 0;
};

// Hashes of rows with a count each: of all rows, or, when there are more than `kHashesMax`
// different ones, of those whose lowest bits are zero (Wegman's adaptive sampling). Without
// repetition it reports exactly none, however large the table.
class RowSample {
 public:
  static constexpr size_t kHashesMax = 65'535;
  static constexpr size_t kStoredMax = 4096;

  void add(uint64_t hash, int64_t count = 1) {
    if (looks_at(hash)) {
      insert(hash, count);
    }
  }
  // The same for many, quicker.
  void add_all(std::span<const uint64_t> hashes);
  bool looks_at(uint64_t hash) const { return (hash & level_mask_) == 0; }
  void merge(const RowSample& other);
  // Rows that equal an earlier one; exact while all rows are looked at.
  int64_t repeated() const;
  bool exact() const { return level_ == 0; }

  // Only hashes with this many zero bits at their end are looked at; it only grows. A sample that
  // will be merged into another may begin at the level of that one: what it leaves out would be
  // dropped by the merge.
  unsigned level() const { return level_; }
  void raise_to(unsigned level);

  // At most kStoredMax hashes.
  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  static constexpr unsigned kLevelMax = 40;

  void insert(uint64_t hash, int64_t count);
  void raise_level();

  ValueCounter rows_;
  unsigned level_ = 0;
  uint64_t level_mask_ = 0;
};

}  // namespace cromford::table
