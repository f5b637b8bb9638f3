#pragma once

#include <cstddef>

namespace node_vae {

// Outputs that lie together in packed weights.
inline constexpr size_t kStrip = 16;

// Strips that are computed together, at most.
inline constexpr size_t kMostStrips = 5;

// out = bias + x · w for some strips one after another. Packed weights: [strip][input][kStrip].
void MultiplyStrips(const float* x, size_t inputs, const float* weights, const float* bias, size_t strips, float* out);

// In place.
void Relu(float* values, size_t count);
void Sigmoid(float* values, size_t count);
void Tanh(float* values, size_t count);

// Whether no value is NaN or infinite.
bool AllFinite(const float* values, size_t count);

}  // namespace node_vae
