#include "base/hash.h"

#include <fmt/format.h>
#include <sodium.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::base {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const unsigned char* as_unsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Little-endian on every machine; compiles to one load where that is native.
template <typename Word>
Word load(const unsigned char* bytes) {
  Word value = 0;
  for (size_t i = 0; i < sizeof(Word); ++i) {
    value |= static_cast<Word>(static_cast<Word>(bytes[i]) << (8 * i));
  }
  return value;
}

constexpr uint64_t kPrime1 = 0x9e3779b185ebca87U;
constexpr uint64_t kPrime2 = 0xc2b2ae3d27d4eb4fU;
constexpr uint64_t kPrime3 = 0x165667b19e3779f9U;
constexpr uint64_t kPrime4 = 0x85ebca77c2b2ae63U;
constexpr uint64_t kPrime5 = 0x27d4eb2f165667c5U;

uint64_t xx_round(uint64_t accumulator, uint64_t input) {
  return std::rotl(accumulator + input * kPrime2, 31) * kPrime1;
}

uint64_t xx_merge(uint64_t hash, uint64_t accumulator) {
  return (hash ^ xx_round(0, accumulator)) * kPrime1 + kPrime4;
}

using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    }
    tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t table = 1; table < 8; ++table) {
      const uint32_t previous = tables[table - 1][i];
      tables[table][i] = (previous >> 8U) ^ tables[0][previous & 255U];
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = make_crc_tables();

uint32_t crc32c_by_tables(const unsigned char* at, size_t left, uint32_t crc) {
  for (; left >= 8; left -= 8, at += 8) {
    const uint64_t word = load<uint64_t>(at) ^ crc;
    crc = 0;
    for (unsigned i = 0; i < 8; ++i) {
      crc ^= kCrcTables[7 - i][word >> (8 * i) & 255U];
    }
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8U) ^ kCrcTables[0][(crc ^ *at) & 255U];
  }
  return crc;
}

#if defined(__x86_64__)
// The machine's own instruction: several times as fast as the tables.
__attribute__((target("sse4.2"))) uint32_t crc32c_by_instruction(const unsigned char* at,
                                                                 size_t left, uint32_t crc) {
  uint64_t wide = crc;
  for (; left >= 8; left -= 8, at += 8) {
    wide = _mm_crc32_u64(wide, load<uint64_t>(at));
  }
  crc = static_cast<uint32_t>(wide);
  for (; left > 0; --left, ++at) {
    crc = _mm_crc32_u8(crc, *at);
  }
  return crc;
}

const bool kHasCrcInstruction = __builtin_cpu_supports("sse4.2") != 0;
#endif

void initialise_sodium() {
  static const bool initialised = sodium_init() >= 0;
  CROMFORD_ASSERT(initialised, "libsodium can be used");
}

}  // namespace

std::string ContentHash::text() const {
  return to_hex(std::as_bytes(std::span(bytes)));
}

absl::StatusOr<ContentHash> parse_content_hash(std::string_view text) {
  const std::optional<std::string> bytes = from_hex(text);
  ContentHash hash;
  if (!bytes || bytes->size() != hash.bytes.size() || lower(text) != text) {
    return invalid(fmt::format("'{}' is not a content hash", text.substr(0, 80)),
                   "a content hash has 64 lower-case hexadecimal digits");
  }
  std::copy(bytes->begin(), bytes->end(), hash.bytes.begin());
  return hash;
}

ContentHash content_hash(std::span<const std::byte> bytes) {
  return content_hash(as_text(bytes));
}

ContentHash content_hash(std::string_view bytes) {
  ContentHasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

struct ContentHasher::State {
  crypto_generichash_state blake;
};

ContentHasher::ContentHasher() : state_(std::make_unique<State>()) {
  initialise_sodium();
  crypto_generichash_init(&state_->blake, nullptr, 0, sizeof(ContentHash::bytes));
}
ContentHasher::~ContentHasher() = default;
ContentHasher::ContentHasher(ContentHasher&&) noexcept = default;
ContentHasher& ContentHasher::operator=(ContentHasher&&) noexcept = default;

void ContentHasher::update(std::span<const std::byte> bytes) {
  update(as_text(bytes));
}

void ContentHasher::update(std::string_view bytes) {
  crypto_generichash_update(&state_->blake, as_unsigned(bytes), bytes.size());
}

ContentHash ContentHasher::finish() {
  ContentHash hash;
  crypto_generichash_final(&state_->blake, hash.bytes.data(), hash.bytes.size());
  return hash;
}

uint64_t hash64(std::string_view bytes, uint64_t seed) {
  const unsigned char* at = as_unsigned(bytes);
  size_t left = bytes.size();
  uint64_t hash = seed + kPrime5;
  if (left >= 32) {
    std::array<uint64_t, 4> lanes{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
    for (; left >= 32; left -= 32) {
      for (uint64_t& lane : lanes) {
        lane = xx_round(lane, load<uint64_t>(at));
        at += 8;
      }
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
           std::rotl(lanes[3], 18);
    for (const uint64_t lane : lanes) {
      hash = xx_merge(hash, lane);
    }
  }
  hash += bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    hash = std::rotl(hash ^ xx_round(0, load<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  }
  if (left >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    left -= 4;
    at += 4;
  }
  for (; left > 0; --left, ++at) {
    hash = std::rotl(hash ^ (*at * kPrime5), 11) * kPrime1;
  }
  hash = (hash ^ (hash >> 33U)) * kPrime2;
  hash = (hash ^ (hash >> 29U)) * kPrime3;
  return hash ^ (hash >> 32U);
}

uint32_t crc32c(std::string_view bytes, uint32_t previous) {
#if defined(__x86_64__)
  if (kHasCrcInstruction) {
    return ~crc32c_by_instruction(as_unsigned(bytes), bytes.size(), ~previous);
  }
#endif
  return crc32c_portable(bytes, previous);
}

uint32_t crc32c_portable(std::string_view bytes, uint32_t previous) {
  return ~crc32c_by_tables(as_unsigned(bytes), bytes.size(), ~previous);
}

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t previous) {
  return crc32c(as_text(bytes), previous);
}

}  // namespace cromford::base
