#pragma once

#include <vector>

#include "kernels/plain.h"
#include "ops/custom_op.h"

namespace node_vae {

// Operators of ONNX with the same inputs, attributes and outputs, that give the same bits on every processor. What ONNX
// gives a default has to be said, axes are an attribute, and lengths of kernels are those of the weight.

// PlainGemm(a, b[, c]): attributes alpha, beta, transA, transB.
class PlainGemmKernel {
 public:
  static constexpr const char* kName = "PlainGemm";
  static constexpr size_t kInputs = 3, kRequiredInputs = 2, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainGemmKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  double alpha_, beta_;
  bool left_transposed_, right_transposed_;
};

// PlainMatMul(a, b), of any ranks.
class PlainMatMulKernel {
 public:
  static constexpr const char* kName = "PlainMatMul";
  static constexpr size_t kInputs = 2, kRequiredInputs = 2, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainMatMulKernel(const Ort::ConstKernelInfo&) {}
  void Compute(Ort::KernelContext& context);
};

// Attributes of those below: kernel_shape, strides, dilations, pads, group.
class PlainWindow {
 public:
  explicit PlainWindow(const Ort::ConstKernelInfo& info);

 protected:
  plain::Convolution ShapeOfInput(const std::vector<int64_t>& x) const;
  size_t rank() const { return kernel_.size(); }
  int64_t Reach(size_t axis) const { return (kernel_[axis] - 1) * dilations_[axis] + 1; }
  std::vector<int64_t> kernel_, strides_, dilations_, pads_;
  int64_t group_;
};

class PlainConvKernel : PlainWindow {
 public:
  static constexpr const char* kName = "PlainConv";
  static constexpr size_t kInputs = 3, kRequiredInputs = 2, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainConvKernel(const Ort::ConstKernelInfo& info) : PlainWindow(info) {}
  void Compute(Ort::KernelContext& context);
};

// Attribute besides: output_padding.
class PlainConvTransposeKernel : PlainWindow {
 public:
  static constexpr const char* kName = "PlainConvTranspose";
  static constexpr size_t kInputs = 3, kRequiredInputs = 2, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainConvTransposeKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  std::vector<int64_t> left_over_;
};

// Without padding.
class PlainAveragePoolKernel : PlainWindow {
 public:
  static constexpr const char* kName = "PlainAveragePool";
  static constexpr size_t kInputs = 1, kRequiredInputs = 1, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainAveragePoolKernel(const Ort::ConstKernelInfo& info) : PlainWindow(info) {}
  void Compute(Ort::KernelContext& context);
};

// Attributes: kind (plain::Reduction), axes (none: all), keepdims.
class PlainReduceKernel {
 public:
  static constexpr const char* kName = "PlainReduce";
  static constexpr size_t kInputs = 1, kRequiredInputs = 1, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainReduceKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  plain::Reduction kind_;
  std::vector<int64_t> axes_;
  bool keep_;
};

// Attributes: axis, logarithm.
class PlainSoftmaxKernel {
 public:
  static constexpr const char* kName = "PlainSoftmax";
  static constexpr size_t kInputs = 1, kRequiredInputs = 1, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainSoftmaxKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  int64_t axis_;
  bool logarithm_;
};

// PlainNormalization(x, scale[, shift]) to y, mean and inverse deviation. Attributes: epsilon; axis, the first of those
// that are normalised together; channels, 1 where scale and shift are of the channels at axis 1 instead.
class PlainNormalizationKernel {
 public:
  static constexpr const char* kName = "PlainNormalization";
  static constexpr size_t kInputs = 3, kRequiredInputs = 2, kOutputs = 3, kRequiredOutputs = 1;
  explicit PlainNormalizationKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  float epsilon_;
  int64_t axis_;
  bool channels_;
};

// PlainFunction(x): attributes function, the name of an operator of ONNX, and alpha.
class PlainFunctionKernel {
 public:
  static constexpr const char* kName = "PlainFunction";
  static constexpr size_t kInputs = 1, kRequiredInputs = 1, kOutputs = 1, kRequiredOutputs = 1;
  explicit PlainFunctionKernel(const Ort::ConstKernelInfo& info);
  void Compute(Ort::KernelContext& context);

 private:
  plain::Function function_;
  double alpha_;
};

// All of them; they live as long as the process.
std::vector<const OrtCustomOp*> PlainOps();

}  // namespace node_vae
