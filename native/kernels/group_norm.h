#pragma once

#include <cstdint>

#include "kernels/parallel.h"
#include "kernels/simd_kernels.h"

namespace node_vae {

// Group normalisation (Wu and He 2018) of [batch, channels, places], then the activation.
struct GroupNormShape {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t places = 0;
  int64_t groups = 1;
  Activation activation = Activation::kNone;
};

// mean and inverse (of the deviation) are [batch, groups].
void GroupNormForward(const SimdKernels& kernels, const GroupNormShape& shape, float epsilon, const float* x,
                      const float* scale, const float* shift, float* y, float* mean, float* inverse,
                      Parallel& parallel);

void GroupNormBackward(const SimdKernels& kernels, const GroupNormShape& shape, const float* x, const float* scale,
                       const float* shift, const float* mean, const float* inverse, const float* gradient,
                       float* x_gradient, float* scale_gradient, float* shift_gradient, Parallel& parallel);

}  // namespace node_vae
