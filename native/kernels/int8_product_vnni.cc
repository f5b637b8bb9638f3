#include "kernels/int8_product.h"
#include "kernels/simd_kernels.h"

#if defined(NODE_VAE_KERNELS_X86)
#include <immintrin.h>

namespace node_vae {
namespace {

struct I {
  static constexpr const char* kName = "vnni";
  static constexpr size_t kLanes = 16;
  static constexpr size_t kStrips = 4;
  static constexpr size_t kRows = 6;  // 24 sums, 4 vectors of weights and one of inputs in 32 registers
  using Reg = __m512i;
  static Reg Load(const void* from) { return _mm512_loadu_si512(from); }
  static Reg Repeat(const uint8_t* four) {
    int32_t value;
    __builtin_memcpy(&value, four, sizeof value);
    return _mm512_set1_epi32(value);
  }
  // Not _mm512_dpbusd_epi32: GCC 12 then stores every sum to the stack in every turn of the loop.
  static Reg Dot(Reg sum, Reg x, Reg w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
  static void StoreScaled(float* to, Reg sum, const float* scales) {
    _mm512_storeu_ps(to, _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scales)));
  }
};

void RoundAll(const float* x, size_t count, float scale, int zero, uint8_t* to) {
  const __m512 step = _mm512_set1_ps(scale);
  const __m512 least = _mm512_set1_ps(static_cast<float>(-zero));
  const __m512 most = _mm512_set1_ps(static_cast<float>(255 - zero));
  const __m512i shift = _mm512_set1_epi32(zero);
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 lanes = count - i < 16 ? static_cast<__mmask16>((1u << (count - i)) - 1) : static_cast<__mmask16>(0xffff);
    const __m512 value = _mm512_div_ps(_mm512_maskz_loadu_ps(lanes, x + i), step);
    const __m512i whole = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(value, least), most));
    _mm_mask_storeu_epi8(to + i, lanes, _mm512_cvtepi32_epi8(_mm512_add_epi32(whole, shift)));
  }
}

}  // namespace
}  // namespace node_vae

#define KERNELS kVnniInt8Kernels
#include "kernels/int8_product.inc"
#endif
