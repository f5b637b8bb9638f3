#pragma once

#include <cstddef>

namespace node_vae {

// In place.
void Relu(float* values, size_t count);
void Sigmoid(float* values, size_t count);
void Tanh(float* values, size_t count);

// Whether no value is NaN or infinite.
bool AllFinite(const float* values, size_t count);

}  // namespace node_vae
