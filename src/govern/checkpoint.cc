#include "govern/checkpoint.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "base/text.h"
#include "govern/base64.h"

namespace cromford::govern {
namespace {

constexpr std::string_view kKeyFileHead = "cromford audit key 1\n";
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // An em dash and a blank.
constexpr unsigned char kEd25519 = 0x01;
constexpr size_t kKeyIdBytes = 4;
constexpr size_t kNameBytesMax = 255;
constexpr size_t kNoteBytesMax = 65'536;
constexpr size_t kSignaturesMax = 100;

template <size_t N>
std::string_view view(const std::array<uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

// The first four bytes of SHA-256(name || 0x0A || 0x01 || key).
std::string key_id(const Verifier& verifier) {
  std::string text = verifier.name + "\n";
  text += static_cast<char>(kEd25519);
  text += view(verifier.key);
  std::array<uint8_t, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return std::string(view(hash).substr(0, kKeyIdBytes));
}

bool is_key_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && base::is_utf8(name) &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return c == '+' || (static_cast<unsigned char>(c) <= 0x20) || c == '\x7f';
         });
}

// A note's text (with its last line end) and its signature lines.
struct Note {
  std::string_view text;
  std::vector<std::string_view> signatures;
};

absl::Status malformed(std::string_view what) {
  return base::invalid(fmt::format("this is no checkpoint: {}", what),
                       "give the text that `cromford audit checkpoint` writes");
}

absl::StatusOr<Note> split_note(std::string_view note) {
  if (note.size() > kNoteBytesMax) {
    return malformed(fmt::format("it has more than {} bytes", kNoteBytesMax));
  }
  const size_t gap = note.rfind("\n\n");
  if (gap == std::string_view::npos || !note.ends_with('\n')) {
    return malformed("the empty line before its signatures is missing");
  }
  Note result{.text = note.substr(0, gap + 1), .signatures = {}};
  std::string_view rest = note.substr(gap + 2);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (!line.starts_with(kDash) || result.signatures.size() == kSignaturesMax) {
      return malformed("a line after the empty one is no signature");
    }
    line.remove_prefix(kDash.size());
    result.signatures.push_back(line);
    rest.remove_prefix(end + 1);
  }
  if (result.signatures.empty()) {
    return malformed("it is not signed");
  }
  return result;
}

absl::StatusOr<Checkpoint> read_text(std::string_view text) {
  const std::vector<std::string_view> lines = base::split(text, '\n');
  if (lines.size() < 4 || lines[0].empty()) {
    return malformed("it needs the lines origin, size and root");
  }
  const std::optional<uint64_t> size = base::to_number<uint64_t>(lines[1]);
  // One tree has one spelling, so that no two texts can be signed for it.
  if (!size.has_value() || std::to_string(*size) != lines[1]) {
    return malformed("its second line is no size");
  }
  const std::optional<std::string> bytes = from_base64(lines[2]);
  const std::optional<Hash> root = bytes ? hash_from(*bytes) : std::nullopt;
  if (!root.has_value()) {
    return malformed("its third line is no root");
  }
  return Checkpoint{.origin = std::string(lines[0]), .size = *size, .root = *root};
}

bool is_signed_by(const Note& note, const Verifier& verifier) {
  const std::string id = key_id(verifier);
  for (const std::string_view line : note.signatures) {
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos || line.substr(0, blank) != verifier.name) {
      continue;
    }
    const std::optional<std::string> bytes = from_base64(line.substr(blank + 1));
    if (!bytes || bytes->size() != kKeyIdBytes + crypto_sign_BYTES || !bytes->starts_with(id)) {
      continue;
    }
    if (crypto_sign_verify_detached(
            reinterpret_cast<const unsigned char*>(bytes->data()) + kKeyIdBytes,
            reinterpret_cast<const unsigned char*>(note.text.data()), note.text.size(),
            verifier.key.data()) == 0) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<AuditKey> make_key(base::FileSystem& files, const std::filesystem::path& file,
                                  base::Entropy& entropy) {
  std::array<uint8_t, 32> seed{};
  entropy.fill(std::as_writable_bytes(std::span(seed)));
  TRY(files.create_directories(file.parent_path()));
  TRY(base::write_atomically(files, file,
                             fmt::format("{}{}\n", kKeyFileHead, to_base64(view(seed))),
                             base::Privacy::kPrivate));
  return AuditKey(seed);
}

}  // namespace

std::string Verifier::text() const {
  std::string bytes(1, static_cast<char>(kEd25519));
  bytes += view(key);
  return fmt::format("{}+{}+{}", name, base::to_hex(key_id(*this)), to_base64(bytes));
}

absl::StatusOr<Verifier> parse_verifier(std::string_view text) {
  const absl::Status wrong =
      base::invalid("this is no key of an audit log",
                    "give the text NAME+ID+KEY that `cromford audit checkpoint` shows");
  const size_t first = text.find('+');
  const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) {
    return wrong;
  }
  Verifier verifier{.name = std::string(text.substr(0, first)), .key = {}};
  const std::optional<std::string> bytes = from_base64(text.substr(second + 1));
  if (!is_key_name(verifier.name) || !bytes || bytes->size() != verifier.key.size() + 1 ||
      static_cast<unsigned char>(bytes->front()) != kEd25519) {
    return wrong;
  }
  std::copy(bytes->begin() + 1, bytes->end(), verifier.key.begin());
  if (text.substr(first + 1, second - first - 1) != base::to_hex(key_id(verifier))) {
    return wrong;
  }
  return verifier;
}

AuditKey::AuditKey(const std::array<uint8_t, 32>& seed) {
  crypto_sign_seed_keypair(verifier_.key.data(), secret_.data(), seed.data());
  // Named after itself: nobody who makes a home has to think of a name that no other home has.
  verifier_.name = fmt::format("cromford/{}", base::to_hex(view(verifier_.key)).substr(0, 16));
}

std::array<uint8_t, 64> AuditKey::sign(std::string_view text) const {
  std::array<uint8_t, 64> signature{};
  crypto_sign_detached(signature.data(), nullptr,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       secret_.data());
  return signature;
}

absl::StatusOr<AuditKey> open_key(base::FileSystem& files, const std::filesystem::path& file,
                                  base::Entropy& entropy, Absent absent) {
  if (!files.exists(file)) {
    if (absent == Absent::kMake) {
      return make_key(files, file, entropy);
    }
    return base::not_found(fmt::format("the key of the audit log, {}, is gone", file.string()),
                           "bring it back from a backup of the data directory");
  }
  TRY(const std::string text, files.read(file, 4096));
  const std::string_view all = text;
  const std::optional<std::string> seed =
      all.starts_with(kKeyFileHead) ? from_base64(base::trim(all.substr(kKeyFileHead.size())))
                                    : std::nullopt;
  std::array<uint8_t, 32> bytes{};
  if (!seed.has_value() || seed->size() != bytes.size()) {
    return base::damaged(fmt::format("{} is not a key of an audit log", file.string()),
                         "bring it back from a backup of the data directory");
  }
  std::copy(seed->begin(), seed->end(), bytes.begin());
  return AuditKey(bytes);
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const AuditKey& key) {
  const std::string text = fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size,
                                       to_base64(checkpoint.root.view()));
  const std::array<uint8_t, 64> signature = key.sign(text);
  return fmt::format("{}\n{}{} {}\n", text, kDash, key.name(),
                     to_base64(key_id(key.verifier()) + std::string(view(signature))));
}

absl::StatusOr<Checkpoint> parse_checkpoint(std::string_view note) {
  TRY(const Note parts, split_note(note));
  return read_text(parts.text);
}

absl::StatusOr<Checkpoint> open_checkpoint(std::string_view note, const Verifier& verifier) {
  TRY(const Note parts, split_note(note));
  TRY(Checkpoint checkpoint, read_text(parts.text));
  if (!is_signed_by(parts, verifier)) {
    return base::refused(fmt::format("the checkpoint at {} entries has no valid signature of {}",
                                     checkpoint.size, verifier.name),
                         "it was altered, or belongs to another log");
  }
  return checkpoint;
}

}  // namespace cromford::govern
