#include "kernels/int8_product.h"
#include "kernels/simd_kernels.h"

#if defined(NODE_VAE_KERNELS_X86)
#include <immintrin.h>

namespace node_vae {
namespace {

struct I {
  static constexpr const char* kName = "avx2";
  static constexpr size_t kLanes = 8;
  static constexpr size_t kStrips = 2;
  static constexpr size_t kRows = 2;  // 8 sums, 4 vectors of weights, one of inputs, ones and a product in 16 registers
  using Reg = __m256i;
  static Reg Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static Reg Repeat(const uint8_t* four) {
    int32_t value;
    __builtin_memcpy(&value, four, sizeof value);
    return _mm256_set1_epi32(value);
  }
  // Never saturates: see kLargestInt8Weight.
  static Reg Dot(Reg sum, Reg x, Reg w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)));
  }
  static void StoreScaled(float* to, Reg sum, const float* scales) {
    _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scales)));
  }
};

__m256i RoundEight(const float* x, float scale, int zero) {
  const __m256 value = _mm256_div_ps(_mm256_loadu_ps(x), _mm256_set1_ps(scale));
  const __m256 least = _mm256_set1_ps(static_cast<float>(-zero));
  const __m256 most = _mm256_set1_ps(static_cast<float>(255 - zero));
  const __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(value, least), most));
  return _mm256_add_epi32(whole, _mm256_set1_epi32(zero));
}

void StoreBytes(uint8_t* to, __m256i whole) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(whole, whole), 0x08);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(_mm256_packus_epi16(words, words)));
}

void RoundAll(const float* x, size_t count, float scale, int zero, uint8_t* to) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) StoreBytes(to + i, RoundEight(x + i, scale, zero));
  if (i == count) return;
  float last[8] = {};
  uint8_t bytes[8];
  for (size_t lane = 0; lane < count - i; ++lane) last[lane] = x[i + lane];
  StoreBytes(bytes, RoundEight(last, scale, zero));
  for (size_t lane = 0; lane < count - i; ++lane) to[i + lane] = bytes[lane];
}

}  // namespace
}  // namespace node_vae

#define KERNELS kAvx2Int8Kernels
#include "kernels/int8_product.inc"
#endif
