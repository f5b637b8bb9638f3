// Products of one row with a matrix, which ONNX Runtime computes at a fraction of the speed at which
// the matrix can be read: its kernels are made for many rows. Compiled with contraction (see
// CMakeLists.txt): results agree with ONNX Runtime's to rounding, as its own do between processors.
#include "inference/row_kernels.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "core/clones.h"

namespace node_vae {
namespace {

#if defined(__GNUC__) || defined(__clang__)
typedef float Strip __attribute__((vector_size(sizeof(float) * kStrip), aligned(4)));
#else
struct Strip {
  float lanes[kStrip];
  Strip& operator+=(const Strip& other) {
    for (size_t i = 0; i < kStrip; ++i) lanes[i] += other.lanes[i];
    return *this;
  }
};
inline Strip operator*(float factor, const Strip& strip) {
  Strip out;
  for (size_t i = 0; i < kStrip; ++i) out.lanes[i] = factor * strip.lanes[i];
  return out;
}
#endif

// kGroup strips at a time, each in kChains sums: as many sums as hide the latency of an addition.
template <size_t kGroup, size_t kChains>
NODE_VAE_INLINE void Multiply(const float* x, size_t inputs, const float* weights, const float* bias, float* out) {
  Strip sums[kGroup][kChains];
  const Strip* in[kGroup];
  for (size_t g = 0; g < kGroup; ++g) {
    in[g] = reinterpret_cast<const Strip*>(weights + g * inputs * kStrip);
    std::memcpy(&sums[g][0], bias + g * kStrip, sizeof(Strip));
    for (size_t c = 1; c < kChains; ++c) std::memset(&sums[g][c], 0, sizeof(Strip));
  }
  size_t i = 0;
  for (; i + kChains <= inputs; i += kChains) {
    for (size_t c = 0; c < kChains; ++c) {
      for (size_t g = 0; g < kGroup; ++g) {
        sums[g][c] += x[i + c] * in[g][i + c];
      }
    }
  }
  for (; i < inputs; ++i) {
    for (size_t g = 0; g < kGroup; ++g) sums[g][0] += x[i] * in[g][i];
  }
  for (size_t g = 0; g < kGroup; ++g) {
    for (size_t c = 1; c < kChains; ++c) sums[g][0] += sums[g][c];
    std::memcpy(out + g * kStrip, &sums[g][0], sizeof(Strip));
  }
}

// e^x as 2^n · e^r with |r| at most ln(2)/2, e^r by its Taylor series: 2 units in the last place.
NODE_VAE_INLINE float Exp(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it rounds to whole numbers
  x = std::min(std::max(x, -87.0f), 88.0f);
  const float n = (x * 1.44269504f + kRound) - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float sum = 1.0f / 5040;
  sum = sum * r + 1.0f / 720;
  sum = sum * r + 1.0f / 120;
  sum = sum * r + 1.0f / 24;
  sum = sum * r + 1.0f / 6;
  sum = sum * r + 0.5f;
  sum = sum * r + 1.0f;
  sum = sum * r + 1.0f;
  return sum * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

}  // namespace

NODE_VAE_CLONES void MultiplyStrips(const float* x, size_t inputs, const float* weights, const float* bias, size_t strips,
                                    float* out) {
  switch (strips) {
    case 1:
      return Multiply<1, 4>(x, inputs, weights, bias, out);
    case 2:
      return Multiply<2, 2>(x, inputs, weights, bias, out);
    case 3:
      return Multiply<3, 2>(x, inputs, weights, bias, out);
    case 4:
      return Multiply<4, 1>(x, inputs, weights, bias, out);
    case kMostStrips:
      return Multiply<kMostStrips, 1>(x, inputs, weights, bias, out);
    default:
      return;
  }
}

NODE_VAE_CLONES void Relu(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0;
}

NODE_VAE_CLONES void Sigmoid(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = 1.0f / (1.0f + Exp(-values[i]));
}

NODE_VAE_CLONES void Tanh(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = 1.0f - 2.0f / (Exp(2.0f * values[i]) + 1.0f);
}

NODE_VAE_CLONES bool AllFinite(const float* values, size_t count) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    bad |= (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent;
  }
  return bad == 0;
}

}  // namespace node_vae
