#include "coder/dense_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <immintrin.h>

namespace node_vae::coder {
namespace {

struct I {
  using Reg = __m256i;
  static constexpr size_t kVectors = 2;
  static constexpr size_t kTiles = 6;
  static constexpr size_t kSums = 12;
  static constexpr size_t kSparseRows = 1;
  static Reg Zero() { return _mm256_setzero_si256(); }
  static Reg Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static Reg Repeat(const int16_t* pair) {
    int32_t both;
    __builtin_memcpy(&both, pair, sizeof both);
    return _mm256_set1_epi32(both);
  }
  static Reg Add(Reg sum, Reg x, Reg weights) { return Sum(sum, _mm256_madd_epi16(x, weights)); }
  static Reg Sum(Reg a, Reg b) { return _mm256_add_epi32(a, b); }
  static int32_t Total(Reg sum) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  static Reg Shift(Reg sum, const int32_t* counts) { return _mm256_srav_epi32(sum, Load(counts)); }
  template <typename Limits>
  static void Store(int16_t* to, const Reg (&sums)[2], Limits limits) {
    const __m256i narrow = _mm256_permute4x64_epi64(_mm256_packs_epi32(sums[0], sums[1]), 0xD8);
    const __m256i limited = _mm256_min_epi16(_mm256_max_epi16(narrow, _mm256_set1_epi16(limits.low)), _mm256_set1_epi16(limits.high));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), limited);
  }
  template <typename Limits>
  static void Store(int16_t* to, const Reg (&first)[2], const Reg (&second)[2], Limits limits) {
    Store(to, first, limits);
    Store(to + kTile, second, limits);
  }
  static uint64_t NonZero(const int16_t* x, size_t pairs) {
    uint64_t mask = 0;
    size_t at = 0;
    for (; at + 8 <= pairs; at += 8) {
      const __m256i zero = _mm256_cmpeq_epi32(Load(x + at * 2), Zero());
      mask |= (static_cast<uint64_t>(_mm256_movemask_ps(_mm256_castsi256_ps(zero))) ^ 0xFF) << at;
    }
    for (; at < pairs; ++at) mask |= uint64_t{(x[at * 2] | x[at * 2 + 1]) != 0} << at;
    return mask;
  }
};

}  // namespace
}  // namespace node_vae::coder

#define KERNELS kAvx2DenseKernels
#include "coder/dense_kernel.inc"
#endif
