#include "ops/plain_ops.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace node_vae {
namespace {

using plain::Count;

[[noreturn]] void Refuse(const std::string& what) { throw std::invalid_argument("node_vae plain operators: " + what); }

const float* Data(const Ort::KernelContext& context, size_t index) {
  return context.GetInput(index).GetTensorData<float>();
}

// Null where an optional input is not given.
const float* Optional(const Ort::KernelContext& context, size_t index) {
  if (context.GetInputCount() <= index) return nullptr;
  const Ort::ConstValue value = context.GetInput(index);
  return value ? value.GetTensorData<float>() : nullptr;
}

float* Output(Ort::KernelContext& context, size_t index, const std::vector<int64_t>& shape) {
  return context.GetOutput(index, shape).GetTensorMutableData<float>();
}

float* OptionalOutput(Ort::KernelContext& context, size_t index, const std::vector<int64_t>& shape) {
  if (context.GetOutputCount() <= index) return nullptr;
  Ort::UnownedValue value = context.GetOutput(index, shape);
  return value ? value.GetTensorMutableData<float>() : nullptr;
}

// Where each element of a shape that is broadcast to `to` lies.
std::vector<int64_t> Broadcast(const std::vector<int64_t>& from, const std::vector<int64_t>& to) {
  std::vector<int64_t> strides(to.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < from.size(); ++i) {
    const size_t axis = to.size() - 1 - i;
    const int64_t length = from[from.size() - 1 - i];
    if (length != 1 && length != to[axis]) Refuse("shapes do not go together.");
    strides[axis] = length == 1 ? 0 : stride;
    stride *= length;
  }
  std::vector<int64_t> places(static_cast<size_t>(Count(to)));
  for (size_t index = 0; index < places.size(); ++index) {
    auto rest = static_cast<int64_t>(index);
    int64_t place = 0;
    for (size_t axis = to.size(); axis-- > 0;) {
      place += rest % to[axis] * strides[axis];
      rest /= to[axis];
    }
    places[index] = place;
  }
  return places;
}

}  // namespace

PlainGemmKernel::PlainGemmKernel(const Ort::ConstKernelInfo& info)
    : alpha_(info.GetAttribute<float>("alpha")),
      beta_(info.GetAttribute<float>("beta")),
      left_transposed_(info.GetAttribute<int64_t>("transA") != 0),
      right_transposed_(info.GetAttribute<int64_t>("transB") != 0) {}

void PlainGemmKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> a = ShapeOf(context.GetInput(0));
  const std::vector<int64_t> b = ShapeOf(context.GetInput(1));
  if (a.size() != 2 || b.size() != 2) Refuse("Gemm takes matrices.");
  plain::MatrixProduct shape;
  shape.m = left_transposed_ ? a[1] : a[0];
  shape.k = left_transposed_ ? a[0] : a[1];
  shape.n = right_transposed_ ? b[0] : b[1];
  if ((right_transposed_ ? b[1] : b[0]) != shape.k) Refuse("the matrices do not fit.");
  shape.left_transposed = left_transposed_;
  shape.right_transposed = right_transposed_;
  shape.left_of = {0};
  shape.right_of = {0};
  const std::vector<int64_t> dims = {shape.m, shape.n};
  std::vector<double> sums(static_cast<size_t>(Count(dims)));
  KernelParallel parallel(context);
  plain::Multiply(shape, Data(context, 0), Data(context, 1), sums.data(), parallel);
  float* y = Output(context, 0, dims);
  const float* c = Optional(context, 2);
  if (c == nullptr) {
    for (size_t i = 0; i < sums.size(); ++i) y[i] = static_cast<float>(alpha_ * sums[i]);
    return;
  }
  const std::vector<int64_t> places = Broadcast(ShapeOf(context.GetInput(2)), dims);
  for (size_t i = 0; i < sums.size(); ++i) y[i] = static_cast<float>(alpha_ * sums[i] + beta_ * c[places[i]]);
}

void PlainMatMulKernel::Compute(Ort::KernelContext& context) {
  std::vector<int64_t> a = ShapeOf(context.GetInput(0));
  std::vector<int64_t> b = ShapeOf(context.GetInput(1));
  if (a.empty() || b.empty()) Refuse("MatMul takes vectors and matrices.");
  const bool left_vector = a.size() == 1;
  const bool right_vector = b.size() == 1;
  if (left_vector) a.insert(a.begin(), 1);
  if (right_vector) b.push_back(1);
  plain::MatrixProduct shape;
  shape.m = a[a.size() - 2];
  shape.k = a.back();
  shape.n = b.back();
  if (b[b.size() - 2] != shape.k) Refuse("the matrices do not fit.");
  const std::vector<int64_t> left(a.begin(), a.end() - 2);
  const std::vector<int64_t> right(b.begin(), b.end() - 2);
  std::vector<int64_t> dims(std::max(left.size(), right.size()), 1);
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t l = i < left.size() ? left[left.size() - 1 - i] : 1;
    const int64_t r = i < right.size() ? right[right.size() - 1 - i] : 1;
    dims[dims.size() - 1 - i] = l == 1 ? r : l;
  }
  shape.left_of = Broadcast(left, dims);
  shape.right_of = Broadcast(right, dims);
  if (!left_vector) dims.push_back(shape.m);
  if (!right_vector) dims.push_back(shape.n);
  std::vector<double> sums(static_cast<size_t>(Count(dims)));
  KernelParallel parallel(context);
  plain::Multiply(shape, Data(context, 0), Data(context, 1), sums.data(), parallel);
  float* y = Output(context, 0, dims);
  for (size_t i = 0; i < sums.size(); ++i) y[i] = static_cast<float>(sums[i]);
}

PlainWindow::PlainWindow(const Ort::ConstKernelInfo& info)
    : kernel_(info.GetAttributes<int64_t>("kernel_shape")),
      strides_(info.GetAttributes<int64_t>("strides")),
      dilations_(info.GetAttributes<int64_t>("dilations")),
      pads_(info.GetAttributes<int64_t>("pads")),
      group_(info.GetAttribute<int64_t>("group")) {
  const size_t axes = kernel_.size();
  bool sane = axes >= 1 && axes <= 3 && strides_.size() == axes && dilations_.size() == axes &&
              pads_.size() == 2 * axes && group_ > 0;
  for (size_t i = 0; sane && i < axes; ++i) sane = kernel_[i] > 0 && strides_[i] > 0 && dilations_[i] > 0;
  if (!sane) Refuse("attributes of a window that do not fit.");
}

// Spatial dimensions go to the end of three.
plain::Convolution PlainWindow::ShapeOfInput(const std::vector<int64_t>& x) const {
  if (x.size() != rank() + 2) Refuse("an image of another rank than the kernel's.");
  plain::Convolution shape;
  shape.batch = x[0];
  shape.in_channels = x[1];
  shape.groups = group_;
  for (size_t axis = 0; axis < rank(); ++axis) {
    const size_t to = 3 - rank() + axis;
    shape.in[to] = x[axis + 2];
    shape.window.kernel[to] = kernel_[axis];
    shape.window.stride[to] = strides_[axis];
    shape.window.dilation[to] = dilations_[axis];
    shape.window.pad[to] = pads_[axis];
  }
  return shape;
}

void PlainConvKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> weight = ShapeOf(context.GetInput(1));
  plain::Convolution shape = ShapeOfInput(ShapeOf(context.GetInput(0)));
  if (weight.size() != rank() + 2 || weight[1] * group_ != shape.in_channels || weight[0] % group_ != 0) {
    Refuse("the weight does not fit the image.");
  }
  shape.out_channels = weight[0];
  std::vector<int64_t> dims = {shape.batch, weight[0]};
  for (size_t axis = 0; axis < rank(); ++axis) {
    const size_t to = 3 - rank() + axis;
    if (weight[axis + 2] != kernel_[axis]) Refuse("the weight does not fit kernel_shape.");
    const int64_t room = shape.in[to] + pads_[axis] + pads_[axis + rank()] - Reach(axis);
    if (room < 0) Refuse("the kernel is larger than the image.");
    shape.out[to] = room / strides_[axis] + 1;
    dims.push_back(shape.out[to]);
  }
  float* y = Output(context, 0, dims);
  KernelParallel parallel(context);
  plain::Convolve(shape, Data(context, 0), Data(context, 1), Optional(context, 2), y, parallel);
}

PlainConvTransposeKernel::PlainConvTransposeKernel(const Ort::ConstKernelInfo& info)
    : PlainWindow(info), left_over_(info.GetAttributes<int64_t>("output_padding")) {
  if (left_over_.size() != rank()) Refuse("output_padding does not fit the kernel.");
}

void PlainConvTransposeKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> weight = ShapeOf(context.GetInput(1));
  plain::Convolution shape = ShapeOfInput(ShapeOf(context.GetInput(0)));
  if (weight.size() != rank() + 2 || weight[0] != shape.in_channels || weight[0] % group_ != 0) {
    Refuse("the weight does not fit the image.");
  }
  shape.out_channels = weight[1] * group_;
  std::vector<int64_t> dims = {shape.batch, shape.out_channels};
  for (size_t axis = 0; axis < rank(); ++axis) {
    const size_t to = 3 - rank() + axis;
    shape.out[to] = (shape.in[to] - 1) * strides_[axis] + Reach(axis) + left_over_[axis] - pads_[axis] -
                    pads_[axis + rank()];
    if (shape.out[to] <= 0) Refuse("the padding leaves nothing.");
    dims.push_back(shape.out[to]);
  }
  float* y = Output(context, 0, dims);
  KernelParallel parallel(context);
  plain::ConvolveTransposed(shape, Data(context, 0), Data(context, 1), Optional(context, 2), y, parallel);
}

void PlainAveragePoolKernel::Compute(Ort::KernelContext& context) {
  plain::Convolution shape = ShapeOfInput(ShapeOf(context.GetInput(0)));
  std::vector<int64_t> dims = {shape.batch, shape.in_channels};
  for (size_t axis = 0; axis < rank(); ++axis) {
    const size_t to = 3 - rank() + axis;
    if (pads_[axis] != 0 || pads_[axis + rank()] != 0 || dilations_[axis] != 1) Refuse("padded windows.");
    if (shape.in[to] < kernel_[axis]) Refuse("the window is larger than the image.");
    shape.out[to] = (shape.in[to] - kernel_[axis]) / strides_[axis] + 1;
    dims.push_back(shape.out[to]);
  }
  float* y = Output(context, 0, dims);
  KernelParallel parallel(context);
  plain::AveragePool(shape, Data(context, 0), y, parallel);
}

PlainReduceKernel::PlainReduceKernel(const Ort::ConstKernelInfo& info)
    : kind_(static_cast<plain::Reduction>(info.GetAttribute<int64_t>("kind"))),
      axes_(info.GetAttributes<int64_t>("axes")),
      keep_(info.GetAttribute<int64_t>("keepdims") != 0) {}

void PlainReduceKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> x = ShapeOf(context.GetInput(0));
  const auto rank = static_cast<int64_t>(x.size());
  std::vector<bool> reduced(x.size(), false);
  for (const int64_t axis : axes_) {
    if (axis < -rank || axis >= rank) Refuse("an axis that the input does not have.");
    reduced[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
  }
  std::vector<int64_t> dims;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    if (!reduced[axis]) dims.push_back(x[axis]);
    else if (keep_) dims.push_back(1);
  }
  float* y = Output(context, 0, dims);
  KernelParallel parallel(context);
  plain::Reduce(kind_, x, reduced, Data(context, 0), y, parallel);
}

PlainSoftmaxKernel::PlainSoftmaxKernel(const Ort::ConstKernelInfo& info)
    : axis_(info.GetAttribute<int64_t>("axis")), logarithm_(info.GetAttribute<int64_t>("logarithm") != 0) {}

void PlainSoftmaxKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> x = ShapeOf(context.GetInput(0));
  const int64_t axis = axis_ < 0 ? axis_ + static_cast<int64_t>(x.size()) : axis_;
  if (axis < 0 || axis >= static_cast<int64_t>(x.size())) Refuse("an axis that the input does not have.");
  const int64_t outer = Count({x.begin(), x.begin() + axis});
  const int64_t inner = Count({x.begin() + axis + 1, x.end()});
  float* y = Output(context, 0, x);
  KernelParallel parallel(context);
  plain::Softmax(logarithm_, outer, x[static_cast<size_t>(axis)], inner, Data(context, 0), y, parallel);
}

PlainNormalizationKernel::PlainNormalizationKernel(const Ort::ConstKernelInfo& info)
    : epsilon_(info.GetAttribute<float>("epsilon")),
      axis_(info.GetAttribute<int64_t>("axis")),
      channels_(info.GetAttribute<int64_t>("channels") != 0) {}

void PlainNormalizationKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> x = ShapeOf(context.GetInput(0));
  const int64_t axis = axis_ < 0 ? axis_ + static_cast<int64_t>(x.size()) : axis_;
  if (axis < 0 || axis > static_cast<int64_t>(x.size()) || (channels_ && axis != 2)) Refuse("an axis that does not fit.");
  const int64_t groups = Count({x.begin(), x.begin() + axis});
  const int64_t size = Count({x.begin() + axis, x.end()});
  const int64_t wanted = channels_ ? x[1] : size;
  if (Count(ShapeOf(context.GetInput(1))) != wanted) Refuse("the scale does not fit.");
  const float* shift = Optional(context, 2);
  if (shift != nullptr && Count(ShapeOf(context.GetInput(2))) != wanted) Refuse("the shift does not fit.");
  std::vector<int64_t> statistics = x;
  for (size_t i = static_cast<size_t>(axis); i < statistics.size(); ++i) statistics[i] = 1;
  float* y = Output(context, 0, x);
  float* mean = OptionalOutput(context, 1, statistics);
  float* inverse = OptionalOutput(context, 2, statistics);
  KernelParallel parallel(context);
  plain::Normalise(groups, size, channels_ ? x[1] : 0, epsilon_, Data(context, 0), Data(context, 1), shift, y, mean,
                   inverse, parallel);
}

PlainFunctionKernel::PlainFunctionKernel(const Ort::ConstKernelInfo& info)
    : function_(plain::FunctionNamed(info.GetAttribute<std::string>("function"))),
      alpha_(info.GetAttribute<float>("alpha")) {}

void PlainFunctionKernel::Compute(Ort::KernelContext& context) {
  const std::vector<int64_t> x = ShapeOf(context.GetInput(0));
  float* y = Output(context, 0, x);
  KernelParallel parallel(context);
  plain::Apply(function_, alpha_, Count(x), Data(context, 0), y, parallel);
}

std::vector<const OrtCustomOp*> PlainOps() {
  static const CustomOp<PlainGemmKernel> gemm;
  static const CustomOp<PlainMatMulKernel> matmul;
  static const CustomOp<PlainConvKernel> conv;
  static const CustomOp<PlainConvTransposeKernel> transpose;
  static const CustomOp<PlainAveragePoolKernel> pool;
  static const CustomOp<PlainReduceKernel> reduce;
  static const CustomOp<PlainSoftmaxKernel> softmax;
  static const CustomOp<PlainNormalizationKernel> normalization;
  static const CustomOp<PlainFunctionKernel> function;
  return {&gemm, &matmul, &conv, &transpose, &pool, &reduce, &softmax, &normalization, &function};
}

}  // namespace node_vae
