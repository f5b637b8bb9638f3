// Compiled with contraction (see CMakeLists.txt): results agree with ONNX Runtime's to rounding, as its own do
// between processors.
#include "inference/activations.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/clones.h"

namespace node_vae {
namespace {

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

NODE_VAE_CLONES void Relu(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0;
}

NODE_VAE_CLONES void Sigmoid(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = 1.0f / (1.0f + Exp(-values[i]));
}

NODE_VAE_CLONES void Tanh(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = 1.0f - 2.0f / (Exp(2.0f * values[i]) + 1.0f);
}

namespace {

// NaN compares false with everything.
NODE_VAE_CLONES bool AllBetween(const float* values, size_t count, float low, float high) {
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) bad |= static_cast<uint32_t>(!(values[i] >= low)) | static_cast<uint32_t>(!(values[i] <= high));
  return bad == 0;
}

// How far from a multiple a value may be, in steps: what float32 makes of one. As src/data/domain.ts has it.
constexpr float kRounding = 1e-3f;

NODE_VAE_CLONES bool AllMultiples(const float* values, size_t count, float steps) {
  // Adding and subtracting 1.5 · 2^23 rounds to whole numbers.
  constexpr float kMagic = 12582912.0f;
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    const float scaled = values[i] * steps;
    const float whole = (scaled + kMagic) - kMagic;
    const float off = scaled - whole;
    bad |= static_cast<uint32_t>(off > kRounding) | static_cast<uint32_t>(off < -kRounding);
  }
  return bad == 0;
}

}  // namespace

bool AllWithin(const float* values, size_t count, const ValueDomain& domain) {
  if (!AllBetween(values, count, domain.low, domain.high)) return false;
  return domain.steps == 0 || AllMultiples(values, count, domain.steps);
}

}  // namespace node_vae
