#include "kernels/group_norm.h"

#include <algorithm>

namespace node_vae {
namespace {

NormGroup GroupOf(const GroupNormShape& shape, int64_t group, const float* scale, const float* shift) {
  const int64_t channels = shape.channels / shape.groups;
  return {static_cast<size_t>(channels), static_cast<size_t>(shape.places), scale + group * channels,
          shift + group * channels, shape.activation};
}

}  // namespace

void GroupNormForward(const SimdKernels& kernels, const GroupNormShape& shape, float epsilon, const float* x,
                      const float* scale, const float* shift, float* y, float* mean, float* inverse,
                      Parallel& parallel) {
  const int64_t floats = shape.channels / shape.groups * shape.places;
  parallel.For(static_cast<size_t>(shape.batch * shape.groups), [&](size_t index) {
    const auto at = static_cast<int64_t>(index);
    kernels.norm_forward(GroupOf(shape, at % shape.groups, scale, shift), epsilon, x + at * floats, y + at * floats,
                         mean + at, inverse + at);
  });
}

void GroupNormBackward(const SimdKernels& kernels, const GroupNormShape& shape, const float* x, const float* scale,
                       const float* shift, const float* mean, const float* inverse, const float* gradient,
                       float* x_gradient, float* scale_gradient, float* shift_gradient, Parallel& parallel) {
  const int64_t channels = shape.channels / shape.groups;
  const int64_t floats = channels * shape.places;
  const int64_t each = shape.batch * shape.channels;
  // Of each example, then added in the order of the batch.
  const Floats sums(parallel, static_cast<size_t>(2 * each));
  parallel.For(static_cast<size_t>(shape.batch * shape.groups), [&](size_t index) {
    const auto at = static_cast<int64_t>(index);
    kernels.norm_backward(GroupOf(shape, at % shape.groups, scale, shift), mean[at], inverse[at], x + at * floats,
                          gradient + at * floats, x_gradient + at * floats, sums.data() + at * channels,
                          sums.data() + each + at * channels);
  });
  std::fill_n(scale_gradient, shape.channels, 0.0f);
  std::fill_n(shift_gradient, shape.channels, 0.0f);
  for (int64_t n = 0; n < shape.batch; ++n) {
    const float* of_scale = sums.data() + n * shape.channels;
    const float* of_shift = of_scale + each;
    for (int64_t c = 0; c < shape.channels; ++c) {
      scale_gradient[c] += of_scale[c];
      shift_gradient[c] += of_shift[c];
    }
  }
}

}  // namespace node_vae
