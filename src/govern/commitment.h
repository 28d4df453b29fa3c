#pragma once

// What is personal stands outside the audit log; the log holds HMAC-SHA-256(salt, text) of it. As
// long as salt and text are kept, anyone can see that the text is the one of then; once both are
// erased, the digest tells nothing about it and the log stays whole.
//
//   const Commitment commitment = commit_to(text, entropy);
//   if (!opens(commitment.digest, commitment.salt, text)) ...
//
// Thread safety: functions only.

#include <string>
#include <string_view>

#include "base/random.h"

namespace cromford::govern {

struct Commitment {
  std::string digest;  // 64 hexadecimal digits, as is:
  std::string salt;    // 32 bytes that nobody can guess.
};

Commitment commit_to(std::string_view text, base::Entropy& entropy);

// Whether the text is what the digest was made of; false also where digest or salt are malformed.
bool opens(std::string_view digest, std::string_view salt, std::string_view text);

}  // namespace cromford::govern
