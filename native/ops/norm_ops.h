#pragma once

#include "kernels/group_norm.h"
#include "ops/custom_op.h"

namespace node_vae {

// Attributes: groups, activation (0 none, 1 SiLU), epsilon (GroupNorm only).

// GroupNorm(x [N, C, ...], scale, shift): the result, and mean and inverse deviation [N, groups]. Scale and
// shift have C values, whatever their shape.
class GroupNormKernel {
 public:
  static constexpr const char* kName = "GroupNorm";
  static constexpr size_t kInputs = 3, kRequiredInputs = 3, kOutputs = 3, kRequiredOutputs = 3;
  explicit GroupNormKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  int64_t groups_;
  Activation activation_;
  float epsilon_;
};

// GroupNormGradient(x, scale, shift, mean, inverse, gradient): gradients of x, scale and shift, shaped like them.
class GroupNormGradientKernel {
 public:
  static constexpr const char* kName = "GroupNormGradient";
  static constexpr size_t kInputs = 6, kRequiredInputs = 6, kOutputs = 3, kRequiredOutputs = 3;
  explicit GroupNormGradientKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  int64_t groups_;
  Activation activation_;
};

using GroupNormOp = CustomOp<GroupNormKernel>;
using GroupNormGradientOp = CustomOp<GroupNormGradientKernel>;

}  // namespace node_vae
