#include "model/forest/gather_walk.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace cromford::model {
namespace {

#define CROMFORD_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq")))

template <size_t kGroups>
CROMFORD_AVX512 void walk(const CompleteTrees& trees, const CompleteGroup* groups, const float* row,
                          uint32_t* found) {
  const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  const __m512i eight = _mm512_set1_epi64(8);
  __m512i place[kGroups];  // Eight times the node's number, plus the lane.
  for (__m512i& one : place) {
    one = lanes;
  }
  for (uint32_t level = 0; level < trees.depth; ++level) {
#pragma GCC unroll 4
    for (size_t g = 0; g < kGroups; ++g) {
      const __m512i node = _mm512_i64gather_epi64(place[g], trees.nodes + groups[g].first_node,
                                                  sizeof(MaskWalk::Node));
      const __m256 threshold = _mm256_castsi256_ps(_mm512_cvtepi64_epi32(node));
      const __m512i slot = _mm512_srli_epi64(node, 32);
      const __m256 value = _mm512_i64gather_ps(slot, row, sizeof(float));
      const __mmask8 right = static_cast<__mmask8>(
          ~static_cast<unsigned>(_mm256_cmp_ps_mask(value, threshold, _CMP_LT_OQ)));
      // 2 (p - lane) + 8 + lane, and 8 more to the right.
      const __m512i left_child =
          _mm512_add_epi64(_mm512_sub_epi64(_mm512_add_epi64(place[g], place[g]), lanes), eight);
      place[g] = _mm512_mask_add_epi64(left_child, right, left_child, eight);
    }
  }
  const auto inner_places = static_cast<int64_t>(8 * ((uint64_t{1} << trees.depth) - 1));
#pragma GCC unroll 4
  for (size_t g = 0; g < kGroups; ++g) {
    const __m512i leaf = _mm512_sub_epi64(place[g], _mm512_set1_epi64(inner_places));
    const __m256i values =
        _mm512_i64gather_epi32(leaf, trees.leaves + groups[g].first_leaf, sizeof(uint32_t));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(found + 8 * g), values);
  }
}

// Eight trees on their way, and which of them. Places are in units of half a node, the widest scale
// that a gather has.
struct Lanes {
  __m512i place;
  __m512i tree;
  __mmask8 active;
};

// Gives the lanes of `free` the next trees of the queue, as far as there are any.
CROMFORD_AVX512 inline void refill(Lanes& lanes, __mmask8 free, std::span<const uint64_t> roots,
                                   size_t& next) {
  unsigned taking = free;
  while (static_cast<size_t>(__builtin_popcount(taking)) > roots.size() - next) {
    taking &= taking - 1;
  }
  const auto mask = static_cast<__mmask8>(taking);
  const __m512i numbers = _mm512_add_epi64(_mm512_set1_epi64(static_cast<int64_t>(next)),
                                           _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
  lanes.place = _mm512_mask_expandloadu_epi64(lanes.place, mask, roots.data() + next);
  lanes.tree = _mm512_mask_expand_epi64(lanes.tree, mask, numbers);
  lanes.active = static_cast<__mmask8>((lanes.active & ~free) | mask);
  next += static_cast<size_t>(__builtin_popcount(taking));
}

// One level down in every lane. The leaves that were reached are written behind each other to
// `reached`, with the number of the tree below and the leaf above; lanes there are free.
CROMFORD_AVX512 inline __mmask8 step(Lanes& lanes, const uint64_t* halves, const float* row,
                                     uint64_t*& reached) {
  const __m512i node = _mm512_i64gather_epi64(lanes.place, halves, sizeof(uint64_t));
  const __m512i links = _mm512_i64gather_epi64(lanes.place, halves + 1, sizeof(uint64_t));
  const __m256 threshold = _mm256_castsi256_ps(_mm512_cvtepi64_epi32(node));
  const __m256 value = _mm512_i64gather_ps(_mm512_srli_epi64(node, 32), row, sizeof(float));
  const __m512i low = _mm512_set1_epi64(0xFFFFFFFF);
  const __m512i left = _mm512_and_si512(links, low);
  const __mmask8 inner = _mm512_test_epi64_mask(left, left);
  const auto right = static_cast<__mmask8>(
      inner & ~static_cast<unsigned>(_mm256_cmp_ps_mask(value, threshold, _CMP_LT_OQ)));
  lanes.place = _mm512_mask_slli_epi64(lanes.place, inner, left, 1);
  lanes.place = _mm512_mask_add_epi64(lanes.place, right, lanes.place, _mm512_set1_epi64(2));
  const auto done = static_cast<__mmask8>(lanes.active & ~inner);
  const __m512i pairs = _mm512_or_si512(_mm512_andnot_si512(low, links), lanes.tree);
  _mm512_storeu_si512(reached, _mm512_maskz_compress_epi64(done, pairs));
  reached += __builtin_popcount(done);
  return done;
}

CROMFORD_AVX512 void walk_queue(const SparseTrees& trees, const float* row, uint32_t* found) {
  static_assert(sizeof(SparseNode) == 2 * sizeof(uint64_t));
  constexpr size_t kRegisters = 4;
  const auto* const halves = reinterpret_cast<const uint64_t*>(trees.nodes);
  uint64_t pairs[kQueueMax + 8];  // A step writes a whole register.
  uint64_t* reached = pairs;
  size_t next = 0;
  Lanes lanes[kRegisters];
  for (Lanes& one : lanes) {
    one = {_mm512_setzero_si512(), _mm512_setzero_si512(), 0};
    refill(one, 0xFF, trees.roots, next);
  }
  while (reached != pairs + trees.roots.size()) {
#pragma GCC unroll 4
    for (Lanes& one : lanes) {
      refill(one, step(one, halves, row, reached), trees.roots, next);
    }
  }
  for (const uint64_t pair : std::span(pairs, trees.roots.size())) {
    found[pair & 0xFFFFFFFF] = static_cast<uint32_t>(pair >> 32);
  }
}

}  // namespace

bool gather_walk_runs_here() {
  return __builtin_cpu_supports("avx512f") > 0 && __builtin_cpu_supports("avx512vl") > 0 &&
         __builtin_cpu_supports("avx512dq") > 0;
}

void gather_walk(const CompleteTrees& trees, std::span<const CompleteGroup> groups,
                 const float* row, uint32_t* found) {
  switch (groups.size()) {
    case 1:
      return walk<1>(trees, groups.data(), row, found);
    case 2:
      return walk<2>(trees, groups.data(), row, found);
    case 3:
      return walk<3>(trees, groups.data(), row, found);
    default:
      return walk<4>(trees, groups.data(), row, found);
  }
}

void gather_walk(const SparseTrees& trees, const float* row, uint32_t* found) {
  walk_queue(trees, row, found);
}

}  // namespace cromford::model

#else

namespace cromford::model {

bool gather_walk_runs_here() {
  return false;
}
void gather_walk(const CompleteTrees& /*trees*/, std::span<const CompleteGroup> /*groups*/,
                 const float* /*row*/, uint32_t* /*found*/) {}
void gather_walk(const SparseTrees& /*trees*/, const float* /*row*/, uint32_t* /*found*/) {}

}  // namespace cromford::model

#endif
