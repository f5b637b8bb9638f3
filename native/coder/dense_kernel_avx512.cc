#include "coder/dense_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <immintrin.h>

namespace node_vae::coder {
namespace {

struct I {
  using Reg = __m512i;
  static constexpr size_t kVectors = 1;
  static constexpr size_t kTiles = 6;
  static constexpr size_t kSums = 24;
  static constexpr size_t kSparseRows = 2;
  static Reg Zero() { return _mm512_setzero_si512(); }
  static Reg Load(const void* from) { return _mm512_loadu_si512(from); }
  static Reg Repeat(const int16_t* pair) {
    int32_t both;
    __builtin_memcpy(&both, pair, sizeof both);
    return _mm512_set1_epi32(both);
  }
  // VNNI's form of multiply and add wraps like the pair of instructions, it never saturates. Not _mm512_dpwssd_epi32:
  // GCC 12 then copies every sum in every turn of the loop. Nor with an operand in memory: it then keeps them there.
  static Reg Add(Reg sum, Reg x, Reg weights) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(weights));
    return sum;
  }
  static Reg Sum(Reg a, Reg b) { return _mm512_add_epi32(a, b); }
  static int32_t Total(Reg sum) { return _mm512_reduce_add_epi32(sum); }
  static Reg Shift(Reg sum, const int32_t* counts) { return _mm512_srav_epi32(sum, Load(counts)); }
  template <typename Limits>
  static void Store(int16_t* to, const Reg (&sums)[1], Limits limits) {
    const __m256i narrow = _mm512_cvtsepi32_epi16(sums[0]);
    const __m256i limited =
        _mm256_min_epi16(_mm256_max_epi16(narrow, _mm256_set1_epi16(limits.low)), _mm256_set1_epi16(limits.high));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), limited);
  }
  template <typename Limits>
  static void Store(int16_t* to, const Reg (&first)[1], const Reg (&second)[1], Limits limits) {
    // Packing takes quarters of both in turn.
    const __m512i turns = _mm512_packs_epi32(first[0], second[0]);
    const __m512i narrow = _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), turns);
    const __m512i limited =
        _mm512_min_epi16(_mm512_max_epi16(narrow, _mm512_set1_epi16(limits.low)), _mm512_set1_epi16(limits.high));
    _mm512_storeu_si512(to, limited);
  }
  static uint64_t NonZero(const int16_t* x, size_t pairs) {
    uint64_t mask = 0;
    for (size_t at = 0; at < pairs; at += 16) {
      const size_t rest = pairs - at;
      const auto lanes = static_cast<__mmask16>(rest < 16 ? (1u << rest) - 1 : 0xFFFFu);
      const __m512i values = _mm512_maskz_loadu_epi32(lanes, x + at * 2);
      mask |= static_cast<uint64_t>(_mm512_test_epi32_mask(values, values)) << at;
    }
    return mask;
  }
};

}  // namespace
}  // namespace node_vae::coder

#define KERNELS kAvx512DenseKernels
#include "coder/dense_kernel.inc"
#endif
