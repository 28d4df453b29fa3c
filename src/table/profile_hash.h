#pragma once

// The hashes inside profile states. They are part of the stored format (states of different
// versions are merged), so they must never change; base::hash64 would do but is slower for the very
// short texts of categories.
//
//   const uint64_t h = profile_hash(key);
//   row_hash = combine_hashes(row_hash, h);
//
// Thread safety: functions only.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace cromford::table {

// The finaliser of MurmurHash3 (Austin Appleby, public domain): a bijection of 64 bits.
inline uint64_t profile_hash(uint64_t key) {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdULL;
  key ^= key >> 33;
  key *= 0xc4ceb9fe1a85ec53ULL;
  key ^= key >> 33;
  return key;
}

inline uint64_t combine_hashes(uint64_t hash, uint64_t next) {
  return (((hash << 23U) | (hash >> 41U)) ^ next) * 0x9e3779b97f4a7c15ULL;
}

namespace internal_profile_hash {
inline uint64_t load8(const char* data) {
  uint64_t word = 0;
  std::memcpy(&word, data, 8);
  return word;
}
// One to eight bytes, as an injective word (for a known size): reads that overlap need no loop.
inline uint64_t load_few(const char* data, size_t size) {
  if (size >= 4) {
    uint32_t low = 0;
    uint32_t high = 0;
    std::memcpy(&low, data, 4);
    std::memcpy(&high, data + size - 4, 4);
    return uint64_t{high} << 32U | low;
  }
  const auto first = static_cast<uint8_t>(data[0]);
  const auto middle = static_cast<uint8_t>(data[size / 2]);
  const auto last = static_cast<uint8_t>(data[size - 1]);
  return uint64_t{last} << 16U | uint64_t{middle} << 8U | first;
}
}  // namespace internal_profile_hash

// Of the bytes and their number; eight bytes at a time.
inline uint64_t profile_hash(std::string_view text) {
  uint64_t hash = text.size() * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL;
  const char* data = text.data();
  size_t left = text.size();
  for (; left > 8; left -= 8, data += 8) {
    hash = combine_hashes(hash, internal_profile_hash::load8(data) * 0xff51afd7ed558ccdULL);
    hash ^= hash >> 29;
  }
  if (left > 0) {
    hash = combine_hashes(hash, internal_profile_hash::load_few(data, left));
  }
  return profile_hash(hash);
}

// What a missing cell adds to the hash of its row.
inline constexpr uint64_t kMissingHash = 0x6a09e667f3bcc909ULL;

}  // namespace cromford::table
