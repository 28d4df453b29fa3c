#include "govern/merkle.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

#include "base/status.h"

namespace cromford::govern {
namespace {

constexpr unsigned char kLeaf = 0x00;
constexpr unsigned char kNode = 0x01;

class Sha256 {
 public:
  Sha256() { crypto_hash_sha256_init(&state_); }
  Sha256& add(std::string_view bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
    return *this;
  }
  Sha256& add(unsigned char byte) {
    crypto_hash_sha256_update(&state_, &byte, 1);
    return *this;
  }
  Hash finish() {
    Hash hash;
    crypto_hash_sha256_final(&state_, hash.bytes.data());
    return hash;
  }

 private:
  crypto_hash_sha256_state state_;
};

// The largest power of two below n, which is above 1.
uint64_t split_of(uint64_t n) {
  return std::bit_floor(n - 1);
}

// The hash over the leaves [begin, end), which must be a subtree that the tree's splits make.
absl::StatusOr<Hash> range_hash(uint64_t begin, uint64_t end, const Nodes& nodes) {
  const uint64_t size = end - begin;
  if (std::has_single_bit(size)) {
    const int level = std::countr_zero(size);
    return nodes(level, begin >> level);
  }
  const uint64_t middle = begin + split_of(size);
  TRY(const Hash left, range_hash(begin, middle, nodes));
  TRY(const Hash right, range_hash(middle, end, nodes));
  return node_hash(left, right);
}

}  // namespace

std::optional<Hash> hash_from(std::string_view bytes) {
  Hash hash;
  if (bytes.size() != hash.bytes.size()) {
    return std::nullopt;
  }
  std::copy(bytes.begin(), bytes.end(), hash.bytes.begin());
  return hash;
}

Hash leaf_hash(std::string_view entry) {
  return Sha256().add(kLeaf).add(entry).finish();
}

Hash node_hash(const Hash& left, const Hash& right) {
  return Sha256().add(kNode).add(left.view()).add(right.view()).finish();
}

Hash empty_root() {
  return Sha256().finish();
}

void RootBuilder::add(const Hash& leaf) {
  Hash subtree = leaf;
  for (uint64_t rest = size_; (rest & 1) != 0; rest >>= 1) {
    subtree = node_hash(subtrees_.back(), subtree);
    subtrees_.pop_back();
  }
  subtrees_.push_back(subtree);
  ++size_;
}

Hash RootBuilder::root() const {
  if (subtrees_.empty()) {
    return empty_root();
  }
  Hash root = subtrees_.back();
  for (size_t i = subtrees_.size() - 1; i > 0; --i) {
    root = node_hash(subtrees_[i - 1], root);
  }
  return root;
}

absl::StatusOr<Hash> tree_root(uint64_t size, const Nodes& nodes) {
  if (size == 0) {
    return empty_root();
  }
  return range_hash(0, size, nodes);
}

absl::StatusOr<Proof> inclusion_proof(uint64_t index, uint64_t size, const Nodes& nodes) {
  Proof proof;
  uint64_t begin = 0;
  uint64_t end = size;
  while (end - begin > 1) {
    const uint64_t middle = begin + split_of(end - begin);
    const bool left = index < middle;
    TRY(const Hash other, left ? range_hash(middle, end, nodes) : range_hash(begin, middle, nodes));
    proof.push_back(other);
    (left ? end : begin) = middle;
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

absl::StatusOr<Proof> consistency_proof(uint64_t old_size, uint64_t size, const Nodes& nodes) {
  Proof proof;
  if (old_size == 0 || old_size == size) {
    return proof;
  }
  uint64_t begin = 0;
  uint64_t end = size;
  while (end != old_size) {
    const uint64_t middle = begin + split_of(end - begin);
    const bool left = old_size <= middle;
    TRY(const Hash other, left ? range_hash(middle, end, nodes) : range_hash(begin, middle, nodes));
    proof.push_back(other);
    (left ? end : begin) = middle;
  }
  if (begin != 0) {
    TRY(const Hash rest, range_hash(begin, end, nodes));
    proof.push_back(rest);
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

bool includes(const Hash& leaf, uint64_t index, uint64_t size, const Proof& proof,
              const Hash& root) {
  if (index >= size) {
    return false;
  }
  uint64_t node = index;
  uint64_t last = size - 1;
  Hash hash = leaf;
  for (const Hash& other : proof) {
    if (last == 0) {
      return false;
    }
    if ((node & 1) != 0 || node == last) {
      hash = node_hash(other, hash);
      while ((node & 1) == 0 && node != 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      hash = node_hash(hash, other);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root;
}

bool extends(uint64_t old_size, const Hash& old_root, uint64_t size, const Hash& root,
             const Proof& proof) {
  if (old_size == 0 || old_size >= size) {
    return proof.empty() &&
           (old_size == 0 ? old_root == empty_root() : old_size == size && old_root == root);
  }
  std::vector<Hash> path = proof;
  if (std::has_single_bit(old_size)) {
    path.insert(path.begin(), old_root);
  }
  if (path.empty()) {
    return false;
  }
  uint64_t node = old_size - 1;
  uint64_t last = size - 1;
  while ((node & 1) != 0) {
    node >>= 1;
    last >>= 1;
  }
  Hash old_hash = path.front();
  Hash hash = path.front();
  for (size_t i = 1; i < path.size(); ++i) {
    if (last == 0) {
      return false;
    }
    if ((node & 1) != 0 || node == last) {
      old_hash = node_hash(path[i], old_hash);
      hash = node_hash(path[i], hash);
      while ((node & 1) == 0 && node != 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      hash = node_hash(hash, path[i]);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && old_hash == old_root && hash == root;
}

}  // namespace cromford::govern
