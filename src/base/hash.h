#pragma once

// Three hashes for three purposes: BLAKE2b-256 names content (objects, datasets, packages),
// `hash64` spreads keys (hash tables on disk, hashed features; its values are promised for ever,
// because model packages rely on them), CRC-32C finds damage in log segments.
//
//   base::ContentHasher hasher;
//   hasher.update(first);
//   hasher.update(second);
//   const base::ContentHash hash = hasher.finish();
//   path /= hash.text();                          // 64 hexadecimal digits
//
// Thread safety: the functions and values are; a `ContentHasher` belongs to one thread.

#include <absl/status/statusor.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cromford::base {

struct ContentHash {
  std::array<uint8_t, 32> bytes{};

  // 64 lower-case hexadecimal digits.
  std::string text() const;
  auto operator<=>(const ContentHash&) const = default;
};

// Reads what `text()` writes; INVALID_ARGUMENT for anything else.
absl::StatusOr<ContentHash> parse_content_hash(std::string_view text);

// BLAKE2b-256 (RFC 7693), without a key.
ContentHash content_hash(std::span<const std::byte> bytes);
ContentHash content_hash(std::string_view bytes);

// The same, fed piece by piece.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(ContentHasher&&) noexcept;
  ContentHasher& operator=(ContentHasher&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes);
  // The hash of all that was fed; the hasher must not be used afterwards.
  ContentHash finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). Not for secrets and not
// against adversaries.
uint64_t hash64(std::string_view bytes, uint64_t seed = 0);

// CRC-32C (Castagnoli; RFC 3720). Pass the result of the previous piece to go on.
uint32_t crc32c(std::string_view bytes, uint32_t previous = 0);
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t previous = 0);
// The same without the machine's own instruction, so that a test can hold both against each other.
uint32_t crc32c_portable(std::string_view bytes, uint32_t previous = 0);

}  // namespace cromford::base
