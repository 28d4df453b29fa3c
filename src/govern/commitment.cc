#include "govern/commitment.h"

#include <sodium.h>

#include <array>
#include <optional>

#include "base/text.h"

namespace cromford::govern {
namespace {

constexpr size_t kSaltBytes = crypto_auth_hmacsha256_KEYBYTES;

std::string digest_of(std::string_view salt, std::string_view text) {
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> digest{};
  crypto_auth_hmacsha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                         text.size(), reinterpret_cast<const unsigned char*>(salt.data()));
  return base::to_hex(std::as_bytes(std::span(digest)));
}

}  // namespace

Commitment commit_to(std::string_view text, base::Entropy& entropy) {
  std::array<std::byte, kSaltBytes> salt{};
  entropy.fill(salt);
  const std::string_view bytes(reinterpret_cast<const char*>(salt.data()), salt.size());
  return {.digest = digest_of(bytes, text), .salt = base::to_hex(salt)};
}

bool opens(std::string_view digest, std::string_view salt, std::string_view text) {
  const std::optional<std::string> bytes = base::from_hex(salt);
  return bytes.has_value() && bytes->size() == kSaltBytes && digest_of(*bytes, text) == digest;
}

}  // namespace cromford::govern
