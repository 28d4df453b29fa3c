#pragma once

// The hash tree over the entries of the audit log, as RFC 9162 section 2.1 (and RFC 6962) defines
// it: a leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right), and a tree of n
// leaves splits at the largest power of two below n. Pure arithmetic on hashes: where they are kept
// is the caller's matter, who gives complete subtrees by level and number.
//
//   RootBuilder builder;
//   for (std::string_view entry : entries) builder.add(leaf_hash(entry));
//   Hash root = builder.root();
//   TRY(Proof proof, inclusion_proof(index, size, nodes));
//   if (!includes(leaf_hash(entry), index, size, proof, root)) ...
//
// Thread safety: functions and values; a RootBuilder belongs to one thread.

#include <absl/status/statusor.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cromford::govern {

struct Hash {
  std::array<uint8_t, 32> bytes{};
  auto operator<=>(const Hash&) const = default;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};
// nullopt unless there are exactly 32 bytes.
std::optional<Hash> hash_from(std::string_view bytes);

Hash leaf_hash(std::string_view entry);
Hash node_hash(const Hash& left, const Hash& right);
// The root of no entries: SHA-256 of nothing.
Hash empty_root();

// The root of entries that come one by one, in memory of the logarithm of their number.
class RootBuilder {
 public:
  RootBuilder() = default;
  // Goes on from `size` leaves with their complete subtrees, the largest first.
  RootBuilder(uint64_t size, std::vector<Hash> subtrees)
      : size_(size), subtrees_(std::move(subtrees)) {}

  void add(const Hash& leaf);
  uint64_t size() const { return size_; }
  Hash root() const;

 private:
  uint64_t size_ = 0;
  std::vector<Hash> subtrees_;  // Complete ones, the largest first: one for each bit of size_.
};

// The hash over the 2^level leaves from index * 2^level on; asked for complete subtrees only.
using Nodes = std::function<absl::StatusOr<Hash>(int level, uint64_t index)>;
using Proof = std::vector<Hash>;

absl::StatusOr<Hash> tree_root(uint64_t size, const Nodes& nodes);
// RFC 9162 section 2.1.3.1; `index` < `size`.
absl::StatusOr<Proof> inclusion_proof(uint64_t index, uint64_t size, const Nodes& nodes);
// RFC 9162 section 2.1.4.1; `old_size` <= `size`. Empty for 0 and for `size` itself.
absl::StatusOr<Proof> consistency_proof(uint64_t old_size, uint64_t size, const Nodes& nodes);

// RFC 9162 sections 2.1.3.2 and 2.1.4.2.
bool includes(const Hash& leaf, uint64_t index, uint64_t size, const Proof& proof,
              const Hash& root);
bool extends(uint64_t old_size, const Hash& old_root, uint64_t size, const Hash& root,
             const Proof& proof);

}  // namespace cromford::govern
