#include "coder/dense_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <emmintrin.h>

namespace node_vae::coder {
namespace {

struct I {
  using Reg = __m128i;
  static constexpr size_t kVectors = 4;
  static constexpr size_t kTiles = 3;
  static constexpr size_t kSums = 12;
  static constexpr size_t kSparseRows = 1;
  static Reg Zero() { return _mm_setzero_si128(); }
  static Reg Load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }
  static Reg Repeat(const int16_t* pair) {
    int32_t both;
    __builtin_memcpy(&both, pair, sizeof both);
    return _mm_set1_epi32(both);
  }
  static Reg Add(Reg sum, Reg x, Reg weights) { return Sum(sum, _mm_madd_epi16(x, weights)); }
  static Reg Sum(Reg a, Reg b) { return _mm_add_epi32(a, b); }
  static int32_t Total(Reg sum) {
    const __m128i two = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  // SSE2 has one count for all lanes.
  static Reg Shift(Reg sum, const int32_t* counts) {
    if (counts[0] == counts[1] && counts[0] == counts[2] && counts[0] == counts[3]) {
      return _mm_sra_epi32(sum, _mm_cvtsi32_si128(counts[0]));
    }
    int32_t lanes[4];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(lanes), sum);
    return _mm_set_epi32(lanes[3] >> counts[3], lanes[2] >> counts[2], lanes[1] >> counts[1], lanes[0] >> counts[0]);
  }
  template <typename Limits>
  static void Store(int16_t* to, const Reg (&sums)[4], Limits limits) {
    for (size_t half = 0; half < 2; ++half) {
      const __m128i narrow = _mm_packs_epi32(sums[half * 2], sums[half * 2 + 1]);
      const __m128i limited = _mm_min_epi16(_mm_max_epi16(narrow, _mm_set1_epi16(limits.low)), _mm_set1_epi16(limits.high));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + half * 8), limited);
    }
  }
  template <typename Limits>
  static void Store(int16_t* to, const Reg (&first)[4], const Reg (&second)[4], Limits limits) {
    Store(to, first, limits);
    Store(to + kTile, second, limits);
  }
  static uint64_t NonZero(const int16_t* x, size_t pairs) {
    uint64_t mask = 0;
    size_t at = 0;
    for (; at + 4 <= pairs; at += 4) {
      const __m128i zero = _mm_cmpeq_epi32(Load(x + at * 2), Zero());
      mask |= (static_cast<uint64_t>(_mm_movemask_ps(_mm_castsi128_ps(zero))) ^ 0xF) << at;
    }
    for (; at < pairs; ++at) mask |= uint64_t{(x[at * 2] | x[at * 2 + 1]) != 0} << at;
    return mask;
  }
};

}  // namespace
}  // namespace node_vae::coder

#define KERNELS kSse2DenseKernels
#include "coder/dense_kernel.inc"
#endif
