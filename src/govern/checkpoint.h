#pragma once

// A checkpoint says, signed: the log of this origin had so many entries, and this was the root over
// them. It is a C2SP signed note (c2sp.org/signed-note) with the text of C2SP tlog-checkpoint, so
// that the tools of transparency logs read and cosign it.
//
//   TRY(const AuditKey key, open_key(files, home / "keys" / "audit.key", entropy));
//   const std::string note = sign_checkpoint({key.name(), size, root}, key);
//   TRY(const Checkpoint checkpoint, open_checkpoint(note, key.verifier()));
//
// Thread safety: functions and values.

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/random.h"
#include "govern/merkle.h"

namespace cromford::govern {

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  Hash root;
};

// The public half of a key: what is told to everyone, and kept where the log cannot reach it.
struct Verifier {
  std::string name;
  std::array<uint8_t, 32> key{};

  bool operator==(const Verifier&) const = default;
  // "NAME+KEYID+BASE64(0x01 || KEY)", the verifier key of C2SP signed notes.
  std::string text() const;
};
absl::StatusOr<Verifier> parse_verifier(std::string_view text);

class AuditKey {
 public:
  // From the 32 bytes of an Ed25519 seed. The name is made of the public key and is the origin of
  // the log as well.
  explicit AuditKey(const std::array<uint8_t, 32>& seed);

  const std::string& name() const { return verifier_.name; }
  const Verifier& verifier() const { return verifier_; }
  std::array<uint8_t, 64> sign(std::string_view text) const;

 private:
  std::array<uint8_t, 64> secret_{};
  Verifier verifier_;
};

// Reads the key of that file, or makes one with mode 0600 where there is none and `may_make`.
// DATA_LOSS where the file is no key; NOT_FOUND where there is none and none may be made.
enum class Absent { kMake, kRefuse };
absl::StatusOr<AuditKey> open_key(base::FileSystem& files, const std::filesystem::path& file,
                                  base::Entropy& entropy, Absent absent);

std::string sign_checkpoint(const Checkpoint& checkpoint, const AuditKey& key);

// The checkpoint of a note, whoever signed it. INVALID_ARGUMENT says what is wrong with the text.
// Lines of extensions and signatures of others are legal.
absl::StatusOr<Checkpoint> parse_checkpoint(std::string_view note);
// The same, signed by that key: FAILED_PRECONDITION where it has no valid signature of it.
absl::StatusOr<Checkpoint> open_checkpoint(std::string_view note, const Verifier& verifier);

}  // namespace cromford::govern
