#include "govern/merkle.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "testing/status_matchers.h"

namespace cromford::govern {
namespace {

// The test vectors of RFC 6962's own reference implementation (certificate-transparency,
// merkle_tree_test.cc).
const std::vector<std::string> kEntries = {"",
                                           std::string(1, '\0'),
                                           std::string("\x10", 1),
                                           std::string("\x20\x21", 2),
                                           std::string("\x30\x31", 2),
                                           std::string("\x40\x41\x42\x43", 4),
                                           std::string("\x50\x51\x52\x53\x54\x55\x56\x57", 8),
                                           "\x60\x61\x62\x63\x64\x65\x66\x67"
                                           "\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
constexpr std::array<std::string_view, 8> kRoots = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::string hex(const Hash& hash) {
  return base::to_hex(hash.view());
}

std::vector<Hash> leaves_of(uint64_t count) {
  std::vector<Hash> leaves;
  for (uint64_t i = 0; i < count; ++i) {
    leaves.push_back(leaf_hash("entry " + std::to_string(i)));
  }
  return leaves;
}

Nodes nodes_over(const std::vector<Hash>& leaves) {
  return [&leaves](int level, uint64_t index) -> absl::StatusOr<Hash> {
    RootBuilder builder;
    for (uint64_t i = index << level; i < (index + 1) << level; ++i) {
      builder.add(leaves.at(i));
    }
    return builder.root();
  };
}

TEST(MerkleTest, RootsAreThoseOfTheReferenceImplementation) {
  EXPECT_EQ(hex(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  RootBuilder builder;
  EXPECT_EQ(builder.root(), empty_root());
  for (size_t i = 0; i < kEntries.size(); ++i) {
    builder.add(leaf_hash(kEntries[i]));
    EXPECT_EQ(hex(builder.root()), kRoots[i]) << i + 1;
  }
}

TEST(MerkleTest, BothWaysToARootAgree) {
  const std::vector<Hash> leaves = leaves_of(70);
  RootBuilder builder;
  for (uint64_t size = 0; size < leaves.size(); ++size) {
    ASSERT_OK_AND_ASSIGN(const Hash root, tree_root(size, nodes_over(leaves)));
    EXPECT_EQ(root, builder.root()) << size;
    builder.add(leaves[size]);
  }
}

TEST(MerkleTest, EveryEntryOfEveryTreeIsProvenAndNoOther) {
  const std::vector<Hash> leaves = leaves_of(40);
  for (uint64_t size = 1; size <= leaves.size(); ++size) {
    ASSERT_OK_AND_ASSIGN(const Hash root, tree_root(size, nodes_over(leaves)));
    for (uint64_t index = 0; index < size; ++index) {
      ASSERT_OK_AND_ASSIGN(const Proof proof, inclusion_proof(index, size, nodes_over(leaves)));
      EXPECT_TRUE(includes(leaves[index], index, size, proof, root)) << index << " of " << size;
      EXPECT_FALSE(includes(leaf_hash("another"), index, size, proof, root));
      EXPECT_FALSE(includes(leaves[index], index, size, proof, leaf_hash("another")));
      EXPECT_FALSE(includes(leaves[index], size, size, proof, root));
      Proof longer = proof;
      longer.push_back(root);
      EXPECT_FALSE(includes(leaves[index], index, size, longer, root));
    }
  }
}

TEST(MerkleTest, EveryTreeIsProvenToExtendEveryEarlierOneAndNoOther) {
  const std::vector<Hash> leaves = leaves_of(40);
  for (uint64_t size = 1; size <= leaves.size(); ++size) {
    ASSERT_OK_AND_ASSIGN(const Hash root, tree_root(size, nodes_over(leaves)));
    for (uint64_t old_size = 0; old_size <= size; ++old_size) {
      ASSERT_OK_AND_ASSIGN(const Hash old_root, tree_root(old_size, nodes_over(leaves)));
      ASSERT_OK_AND_ASSIGN(const Proof proof,
                           consistency_proof(old_size, size, nodes_over(leaves)));
      EXPECT_TRUE(extends(old_size, old_root, size, root, proof)) << old_size << " to " << size;
      EXPECT_FALSE(extends(old_size, leaf_hash("another"), size, root, proof));
      if (old_size > 0) {
        EXPECT_FALSE(extends(old_size, old_root, size, leaf_hash("another"), proof));
      }
      if (!proof.empty()) {
        EXPECT_FALSE(extends(old_size, old_root, size, root, Proof()));
      }
    }
  }
  EXPECT_FALSE(extends(3, empty_root(), 2, empty_root(), {}));
}

}  // namespace
}  // namespace cromford::govern
