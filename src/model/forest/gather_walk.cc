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

}  // namespace cromford::model

#else

namespace cromford::model {

bool gather_walk_runs_here() {
  return false;
}
void gather_walk(const CompleteTrees& /*trees*/, std::span<const CompleteGroup> /*groups*/,
                 const float* /*row*/, uint32_t* /*found*/) {}

}  // namespace cromford::model

#endif
