#pragma once

#include <cstddef>
#include <limits>

namespace node_vae {

// In place.
void Relu(float* values, size_t count);
void Sigmoid(float* values, size_t count);
void Tanh(float* values, size_t count);

// Values that a model is defined on: finite ones from `low` to `high`, and with `steps` above 0 multiples of 1/steps.
struct ValueDomain {
  float low = -std::numeric_limits<float>::max();
  float high = std::numeric_limits<float>::max();
  float steps = 0;
};

// Whether all values are within, and none is NaN.
bool AllWithin(const float* values, size_t count, const ValueDomain& domain);

}  // namespace node_vae
