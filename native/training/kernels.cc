#include "training/kernels.h"

#include <cmath>

#include "core/clones.h"

#if defined(_MSC_VER)
#define NODE_VAE_INLINE __forceinline
#else
#define NODE_VAE_INLINE inline __attribute__((always_inline))
#endif

namespace node_vae::kernels {
namespace {

// Sums are kept in this many lanes whatever the vector width, so that their order is fixed.
constexpr size_t kLanes = 16;

NODE_VAE_INLINE double Fold(const double (&lanes)[kLanes]) {
  double sums[kLanes];
  for (size_t l = 0; l < kLanes; ++l) sums[l] = lanes[l];
  for (size_t width = kLanes / 2; width > 0; width /= 2) {
    for (size_t l = 0; l < width; ++l) sums[l] += sums[l + width];
  }
  return sums[0];
}

// Applies step(i) -> update to every element and adds up the squares of the updates.
template <typename Step>
NODE_VAE_INLINE double Measured(size_t count, const Step& step) {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) {
      const double update = step(i + l);
      lanes[l] += update * update;
    }
  }
  for (; i < count; ++i) {
    const double update = step(i);
    lanes[i % kLanes] += update * update;
  }
  return Fold(lanes);
}

NODE_VAE_INLINE float AdamElement(float& parameter, float gradient, float& moment1, float& moment2, const AdamStep& s) {
  const float g = gradient * s.gradient_scale + s.l2 * parameter;
  const float m = moment1 + (g - moment1) * s.rate1;
  const float v = moment2 * s.beta2 + s.rate2 * (g * g);
  moment1 = m;
  moment2 = v;
  const float before = parameter;
  const float after = before * s.shrink - s.step_size * (m / (std::sqrt(v) * s.root_scale + s.epsilon));
  parameter = after;
  return after - before;
}

NODE_VAE_INLINE float AdamWOrtElement(float& parameter, float gradient, float& moment1, float& moment2,
                                      const AdamWOrtStep& s) {
  const float g = gradient * s.gradient_scale;
  const float m = s.beta1 * moment1 + s.rate1 * g;
  const float v = s.beta2 * moment2 + s.rate2 * (g * g);
  moment1 = m;
  moment2 = v;
  const float before = parameter;
  const float stepped = before - s.step_size * m / (std::sqrt(v) + s.epsilon);
  const float after = stepped - s.decay * stepped;
  parameter = after;
  return after - before;
}

NODE_VAE_INLINE float SgdElement(float& parameter, float gradient, float& momentum, float keep, float take,
                                 float look_ahead, float use_gradient, const SgdStep& s) {
  const float d = gradient * s.gradient_scale + s.weight_decay * parameter;
  const float buffer = keep * momentum + take * d;
  momentum = buffer;
  const float before = parameter;
  const float after = before - s.learning_rate * (use_gradient * d + look_ahead * buffer);
  parameter = after;
  return after - before;
}

}  // namespace

NODE_VAE_CLONES double SumOfSquares(const float* values, size_t count) noexcept {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) {
      const double value = values[i + l];
      lanes[l] += value * value;
    }
  }
  for (; i < count; ++i) {
    const double value = values[i];
    lanes[i % kLanes] += value * value;
  }
  return Fold(lanes);
}

NODE_VAE_CLONES void Add(float* NODE_VAE_RESTRICT sum, const float* NODE_VAE_RESTRICT values, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) sum[i] += values[i];
}

NODE_VAE_CLONES void MoveTowards(float* NODE_VAE_RESTRICT average, const float* NODE_VAE_RESTRICT values, float rate,
                                 size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) average[i] += (values[i] - average[i]) * rate;
}

NODE_VAE_CLONES static void AdamPlain(float* NODE_VAE_RESTRICT p, const float* NODE_VAE_RESTRICT g,
                                      float* NODE_VAE_RESTRICT m, float* NODE_VAE_RESTRICT v, const AdamStep& step,
                                      size_t count) noexcept {
  const AdamStep s = step;
  for (size_t i = 0; i < count; ++i) AdamElement(p[i], g[i], m[i], v[i], s);
}

NODE_VAE_CLONES static double AdamMeasured(float* NODE_VAE_RESTRICT p, const float* NODE_VAE_RESTRICT g,
                                           float* NODE_VAE_RESTRICT m, float* NODE_VAE_RESTRICT v, const AdamStep& step,
                                           size_t count) noexcept {
  const AdamStep s = step;
  return Measured(count, [&](size_t i) { return AdamElement(p[i], g[i], m[i], v[i], s); });
}

double Adam(float* parameters, const float* gradients, float* moment1, float* moment2, const AdamStep& step,
            size_t count, bool measure) noexcept {
  if (measure) return AdamMeasured(parameters, gradients, moment1, moment2, step, count);
  AdamPlain(parameters, gradients, moment1, moment2, step, count);
  return 0;
}

NODE_VAE_CLONES static void AdamWOrtPlain(float* NODE_VAE_RESTRICT p, const float* NODE_VAE_RESTRICT g,
                                          float* NODE_VAE_RESTRICT m, float* NODE_VAE_RESTRICT v,
                                          const AdamWOrtStep& step, size_t count) noexcept {
  const AdamWOrtStep s = step;
  for (size_t i = 0; i < count; ++i) AdamWOrtElement(p[i], g[i], m[i], v[i], s);
}

NODE_VAE_CLONES static double AdamWOrtMeasured(float* NODE_VAE_RESTRICT p, const float* NODE_VAE_RESTRICT g,
                                               float* NODE_VAE_RESTRICT m, float* NODE_VAE_RESTRICT v,
                                               const AdamWOrtStep& step, size_t count) noexcept {
  const AdamWOrtStep s = step;
  return Measured(count, [&](size_t i) { return AdamWOrtElement(p[i], g[i], m[i], v[i], s); });
}

double AdamWOrt(float* parameters, const float* gradients, float* moment1, float* moment2, const AdamWOrtStep& step,
                size_t count, bool measure) noexcept {
  if (measure) return AdamWOrtMeasured(parameters, gradients, moment1, moment2, step, count);
  AdamWOrtPlain(parameters, gradients, moment1, moment2, step, count);
  return 0;
}

NODE_VAE_CLONES static double SgdMomentum(float* NODE_VAE_RESTRICT p, const float* NODE_VAE_RESTRICT g,
                                          float* NODE_VAE_RESTRICT b, const SgdStep& step, size_t count,
                                          bool measure) noexcept {
  const SgdStep s = step;
  const float keep = s.first ? 0.0f : s.momentum;
  const float take = s.first ? 1.0f : s.undampened;
  const float look_ahead = s.nesterov ? s.momentum : 1.0f;
  const float use_gradient = s.nesterov ? 1.0f : 0.0f;
  const auto element = [&](size_t i) { return SgdElement(p[i], g[i], b[i], keep, take, look_ahead, use_gradient, s); };
  if (measure) return Measured(count, element);
  for (size_t i = 0; i < count; ++i) element(i);
  return 0;
}

NODE_VAE_CLONES static double SgdPlain(float* NODE_VAE_RESTRICT p, const float* NODE_VAE_RESTRICT g,
                                       const SgdStep& step, size_t count, bool measure) noexcept {
  const SgdStep s = step;
  const auto element = [&](size_t i) {
    const float before = p[i];
    const float after = std::fma(-s.learning_rate, g[i] * s.gradient_scale + s.weight_decay * before, before);
    p[i] = after;
    return after - before;
  };
  if (measure) return Measured(count, element);
  for (size_t i = 0; i < count; ++i) element(i);
  return 0;
}

double Sgd(float* parameters, const float* gradients, float* momentum, const SgdStep& step, size_t count,
           bool measure) noexcept {
  if (momentum == nullptr) return SgdPlain(parameters, gradients, step, count, measure);
  return SgdMomentum(parameters, gradients, momentum, step, count, measure);
}

NODE_VAE_CLONES static void AffineBytes(float* NODE_VAE_RESTRICT out, const uint8_t* NODE_VAE_RESTRICT in, float scale,
                                        float offset, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]) * scale + offset;
}

NODE_VAE_CLONES static void AffineFloats(float* NODE_VAE_RESTRICT out, const float* NODE_VAE_RESTRICT in, float scale,
                                         float offset, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = in[i] * scale + offset;
}

void Affine(float* out, const uint8_t* in, float scale, float offset, size_t count) noexcept {
  AffineBytes(out, in, scale, offset, count);
}
void Affine(float* out, const float* in, float scale, float offset, size_t count) noexcept {
  AffineFloats(out, in, scale, offset, count);
}

NODE_VAE_CLONES static void BinariseEach(float* NODE_VAE_RESTRICT values, const float* NODE_VAE_RESTRICT thresholds,
                                         size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) values[i] = values[i] > thresholds[i] ? 1.0f : 0.0f;
}

NODE_VAE_CLONES static void BinariseAll(float* values, float threshold, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) values[i] = values[i] > threshold ? 1.0f : 0.0f;
}

void Binarise(float* values, const float* thresholds, size_t count) noexcept {
  BinariseEach(values, thresholds, count);
}
void Binarise(float* values, float threshold, size_t count) noexcept { BinariseAll(values, threshold, count); }

NODE_VAE_CLONES static void WidenBytes(int64_t* NODE_VAE_RESTRICT out, const uint8_t* NODE_VAE_RESTRICT in,
                                       size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = in[i];
}

void Widen(int64_t* out, const uint8_t* in, size_t count) noexcept { WidenBytes(out, in, count); }

}  // namespace node_vae::kernels
