#include "model/forest/mask_walk.h"

#include <algorithm>
#include <limits>
#include <map>

#if defined(__x86_64__)
#include <immintrin.h>
#define CROMFORD_AVX512_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vbmi,popcnt")))
#endif

namespace cromford::model {
namespace {

constexpr size_t kBlock = 16;
constexpr size_t kTrees = 8;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace

std::optional<MaskWalk> MaskWalk::create(std::span<const Group> groups) {
  std::map<uint32_t, std::vector<float>> thresholds;
  for (const Group& group : groups) {
    if (group.depth > kDepthMax) {
      return std::nullopt;
    }
    for (const Node& node : group.nodes) {
      thresholds[node.slot].push_back(node.threshold);
    }
  }
  MaskWalk walk;
  for (auto& [slot, values] : thresholds) {
    if (!walk.add_scale(slot, std::move(values))) {
      return std::nullopt;
    }
  }
  for (const Group& group : groups) {
    for (size_t k = 0; k < kTrees; ++k) {
      walk.trees_.push_back(walk.tree_of(group, k));
    }
    walk.depths_.push_back(group.depth);
  }
  return walk;
}

bool MaskWalk::add_scale(uint32_t slot, std::vector<float> thresholds) {
  std::sort(thresholds.begin(), thresholds.end());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  if (scales_.size() == kSlotsMax || thresholds.size() > kThresholdsMax) {
    return false;
  }
  thresholds.resize((thresholds.size() / kBlock + 1) * kBlock, kNaN);
  Scale scale{.slot = slot, .first_block = static_cast<uint32_t>(blocks_.size()), .last = {}};
  scale.last.fill(kNaN);
  for (size_t b = 0; b * kBlock < thresholds.size(); ++b) {
    std::copy_n(thresholds.begin() + static_cast<std::ptrdiff_t>(b * kBlock), kBlock,
                blocks_.emplace_back().begin());
    scale.last[b] = blocks_.back().back();
  }
  scales_.push_back(scale);
  return true;
}

MaskWalk::Tree MaskWalk::tree_of(const Group& group, size_t k) const {
  Tree tree;
  for (size_t i = 0; kTrees * i + k < group.nodes.size(); ++i) {
    const Node& node = group.nodes[kTrees * i + k];
    const auto scale = std::ranges::lower_bound(scales_, node.slot, {}, &Scale::slot);
    tree.scales[i] = static_cast<uint8_t>(scale - scales_.begin());
    const float* const first = blocks_[scale->first_block].data();
    tree.limits[i] =
        static_cast<uint8_t>(std::find(first, first + kThresholdsMax, node.threshold) - first);
  }
  return tree;
}

size_t MaskWalk::memory_bytes() const {
  return scales_.size() * sizeof(Scale) + blocks_.size() * sizeof(blocks_[0]) +
         trees_.size() * sizeof(Tree) + depths_.size() * sizeof(uint32_t);
}

#if defined(__x86_64__)

bool MaskWalk::runs_here() {
  static const bool runs =
      __builtin_cpu_supports("avx512f") > 0 && __builtin_cpu_supports("avx512bw") > 0 &&
      __builtin_cpu_supports("avx512dq") > 0 && __builtin_cpu_supports("avx512vbmi") > 0 &&
      __builtin_cpu_supports("popcnt") > 0;
  return runs;
}

CROMFORD_AVX512_VBMI void MaskWalk::rank(const float* row, Ranks& ranks) const {
  for (size_t s = 0; s < scales_.size(); ++s) {
    const Scale& scale = scales_[s];
    const __m512 value = _mm512_set1_ps(row[scale.slot]);
    const __mmask16 full =
        _mm512_cmp_ps_mask(_mm512_loadu_ps(scale.last.data()), value, _CMP_LE_OQ);
    const auto block = static_cast<uint32_t>(__builtin_popcount(full));
    const float* const thresholds = blocks_[scale.first_block + block].data();
    const __mmask16 below = _mm512_cmp_ps_mask(_mm512_loadu_ps(thresholds), value, _CMP_LE_OQ);
    ranks[s] =
        static_cast<uint8_t>(kBlock * block + static_cast<uint32_t>(__builtin_popcount(below)));
  }
}

CROMFORD_AVX512_VBMI void MaskWalk::find_leaves(size_t group, const Ranks& ranks,
                                                const uint32_t* leaves, uint32_t* found) const {
  const __m512i table = _mm512_loadu_si512(ranks.data());
  const Tree* const trees = trees_.data() + kTrees * group;
  __m512i masks = _mm512_setzero_si512();  // Per tree: the nodes that go to the right.
#pragma GCC unroll 8
  for (size_t k = 0; k < kTrees; ++k) {
    const __m512i values =
        _mm512_permutexvar_epi8(_mm512_load_si512(trees[k].scales.data()), table);
    const __mmask64 right =
        _mm512_cmpgt_epu8_mask(values, _mm512_load_si512(trees[k].limits.data()));
    masks =
        _mm512_mask_set1_epi64(masks, static_cast<__mmask8>(1U << k), static_cast<int64_t>(right));
  }
  const __m512i one = _mm512_set1_epi64(1);
  __m512i place = _mm512_setzero_si512();
  const uint32_t depth = depths_[group];
  for (uint32_t level = 0; level < depth; ++level) {
    const __m512i right = _mm512_and_si512(_mm512_srlv_epi64(masks, place), one);
    place = _mm512_add_epi64(_mm512_add_epi64(place, place), _mm512_add_epi64(right, one));
  }
  const __m512i leaf = _mm512_sub_epi64(place, _mm512_set1_epi64((int64_t{1} << depth) - 1));
  const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i ends = _mm512_i64gather_epi32(_mm512_add_epi64(_mm512_slli_epi64(leaf, 3), lanes),
                                              leaves, sizeof(uint32_t));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(found), ends);
}

#else

bool MaskWalk::runs_here() {
  return false;
}
void MaskWalk::rank(const float* /*row*/, Ranks& /*ranks*/) const {}
void MaskWalk::find_leaves(size_t /*group*/, const Ranks& /*ranks*/, const uint32_t* /*leaves*/,
                           uint32_t* /*found*/) const {}

#endif

}  // namespace cromford::model
