#include "kernels/simd_kernels.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "kernels/instruction_set.h"

#if defined(__aarch64__) && !defined(_MSC_VER)
#include <arm_neon.h>
#elif defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace node_vae {
namespace {

#if defined(__aarch64__) && !defined(_MSC_VER)

struct V {
  static constexpr const char* kName = "generic";
  static constexpr size_t kLanes = 4;
  static constexpr size_t kRows = 8;
  using Reg = float32x4_t;
  static Reg Zero() { return vdupq_n_f32(0); }
  static Reg Set(float value) { return vdupq_n_f32(value); }
  static Reg Load(const float* from) { return vld1q_f32(from); }
  static void Store(float* to, Reg value) { vst1q_f32(to, value); }
  static Reg Add(Reg a, Reg b) { return vaddq_f32(a, b); }
  static Reg Sub(Reg a, Reg b) { return vsubq_f32(a, b); }
  static Reg Mul(Reg a, Reg b) { return vmulq_f32(a, b); }
  static Reg Div(Reg a, Reg b) { return vdivq_f32(a, b); }
  static Reg Min(Reg a, Reg b) { return vminq_f32(a, b); }
  static Reg Max(Reg a, Reg b) { return vmaxq_f32(a, b); }
  static Reg Fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }
  static Reg Round(Reg a) { return vrndnq_f32(a); }
  static Reg PowerOfTwo(Reg n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
  }
  static float Sum(Reg a) { return vaddvq_f32(a); }
  static float Root(float a) { return std::sqrt(a); }
};

#elif defined(__x86_64__) || defined(_M_X64)

struct V {
  static constexpr const char* kName = "generic";
  static constexpr size_t kLanes = 4;
  static constexpr size_t kRows = 4;
  using Reg = __m128;
  static Reg Zero() { return _mm_setzero_ps(); }
  static Reg Set(float value) { return _mm_set1_ps(value); }
  static Reg Load(const float* from) { return _mm_loadu_ps(from); }
  static void Store(float* to, Reg value) { _mm_storeu_ps(to, value); }
  static Reg Add(Reg a, Reg b) { return _mm_add_ps(a, b); }
  static Reg Sub(Reg a, Reg b) { return _mm_sub_ps(a, b); }
  static Reg Mul(Reg a, Reg b) { return _mm_mul_ps(a, b); }
  static Reg Div(Reg a, Reg b) { return _mm_div_ps(a, b); }
  static Reg Min(Reg a, Reg b) { return _mm_min_ps(a, b); }
  static Reg Max(Reg a, Reg b) { return _mm_max_ps(a, b); }
  static Reg Fma(Reg a, Reg b, Reg c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
  // Of numbers that fit into 32 bits, as its one use has them.
  static Reg Round(Reg a) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(a)); }
  static Reg PowerOfTwo(Reg n) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23));
  }
  static float Sum(Reg a) {
    const Reg two = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  }
  static float Root(float a) { return std::sqrt(a); }
};

#else

// Four floats that the compiler puts into what vectors there are.
struct V {
  static constexpr const char* kName = "generic";
  static constexpr size_t kLanes = 4;
  static constexpr size_t kRows = 4;
  struct Reg {
    float lane[kLanes];
  };
  template <typename Body>
  static Reg Each(const Body& body) {
    Reg result;
    for (size_t i = 0; i < kLanes; ++i) result.lane[i] = body(i);
    return result;
  }
  static Reg Zero() { return Set(0); }
  static Reg Set(float value) {
    return Each([&](size_t) { return value; });
  }
  static Reg Load(const float* from) {
    return Each([&](size_t i) { return from[i]; });
  }
  static void Store(float* to, const Reg& value) {
    for (size_t i = 0; i < kLanes; ++i) to[i] = value.lane[i];
  }
  static Reg Add(const Reg& a, const Reg& b) {
    return Each([&](size_t i) { return a.lane[i] + b.lane[i]; });
  }
  static Reg Sub(const Reg& a, const Reg& b) {
    return Each([&](size_t i) { return a.lane[i] - b.lane[i]; });
  }
  static Reg Mul(const Reg& a, const Reg& b) {
    return Each([&](size_t i) { return a.lane[i] * b.lane[i]; });
  }
  static Reg Div(const Reg& a, const Reg& b) {
    return Each([&](size_t i) { return a.lane[i] / b.lane[i]; });
  }
  // As the instructions have it: the second operand where one is not a number.
  static Reg Min(const Reg& a, const Reg& b) {
    return Each([&](size_t i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Reg Max(const Reg& a, const Reg& b) {
    return Each([&](size_t i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Reg Fma(const Reg& a, const Reg& b, const Reg& c) {
    return Each([&](size_t i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
  }
  static Reg Round(const Reg& a) {
    return Each([&](size_t i) { return std::nearbyint(a.lane[i]); });
  }
  static Reg PowerOfTwo(const Reg& n) {
    return Each([&](size_t i) {
      const int32_t bits = (static_cast<int32_t>(n.lane[i]) + 127) << 23;
      float value;
      std::memcpy(&value, &bits, sizeof value);
      return value;
    });
  }
  static float Sum(const Reg& a) { return (a.lane[0] + a.lane[2]) + (a.lane[1] + a.lane[3]); }
  static float Root(float a) { return std::sqrt(a); }
};

#endif

}  // namespace
}  // namespace node_vae

#define NARROW V
#define KERNELS kGenericKernels
#include "kernels/simd_kernels.inc"

namespace node_vae {

const SimdKernels& ChooseSimdKernels() {
  switch (ChooseInstructionSet()) {
#if defined(NODE_VAE_KERNELS_X86)
    case InstructionSet::kAvx512Vnni:
    case InstructionSet::kAvx512:
      return kAvx512Kernels;
    case InstructionSet::kAvx2:
      return kAvx2Kernels;
#endif
    default:
      return kGenericKernels;
  }
}

}  // namespace node_vae
