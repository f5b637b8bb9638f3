#include "ops/norm_ops.h"

#include <stdexcept>
#include <string>

namespace node_vae {
namespace {

[[noreturn]] void Refuse(const std::string& what) { throw std::invalid_argument("node_vae group norm: " + what); }

Activation ToActivation(int64_t number) {
  if (number != 0 && number != 1) Refuse("unknown activation.");
  return static_cast<Activation>(number);
}

int64_t Count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t length : shape) count *= length;
  return count;
}

// Checks scale and shift as well.
GroupNormShape ShapeFor(const Ort::KernelContext& context, int64_t groups, Activation activation) {
  const std::vector<int64_t> x = ShapeOf(context.GetInput(0));
  if (x.size() < 2 || groups <= 0 || x[1] % groups != 0 || Count(x) == 0) Refuse("the groups do not fit the input.");
  GroupNormShape shape{x[0], x[1], Count({x.begin() + 2, x.end()}), groups, activation};
  for (const size_t index : {1, 2}) {
    if (Count(ShapeOf(context.GetInput(index))) != shape.channels) Refuse("scale and shift need a value for each channel.");
  }
  return shape;
}

const float* Data(const Ort::KernelContext& context, size_t index) {
  return context.GetInput(index).GetTensorData<float>();
}

float* Output(Ort::KernelContext& context, size_t index, const std::vector<int64_t>& shape) {
  return context.GetOutput(index, shape).GetTensorMutableData<float>();
}

}  // namespace

GroupNormKernel::GroupNormKernel(const Ort::ConstKernelInfo& info)
    : groups_(info.GetAttribute<int64_t>("groups")),
      activation_(ToActivation(info.GetAttribute<int64_t>("activation"))),
      epsilon_(info.GetAttribute<float>("epsilon")) {}

void GroupNormKernel::Compute(Ort::KernelContext& context) {
  const GroupNormShape shape = ShapeFor(context, groups_, activation_);
  const std::vector<int64_t> statistics = {shape.batch, shape.groups};
  float* y = Output(context, 0, ShapeOf(context.GetInput(0)));
  float* mean = Output(context, 1, statistics);
  float* inverse = Output(context, 2, statistics);
  KernelParallel parallel(context);
  GroupNormForward(ChooseSimdKernels(), shape, epsilon_, Data(context, 0), Data(context, 1), Data(context, 2), y, mean,
                   inverse, parallel);
}

GroupNormGradientKernel::GroupNormGradientKernel(const Ort::ConstKernelInfo& info)
    : groups_(info.GetAttribute<int64_t>("groups")), activation_(ToActivation(info.GetAttribute<int64_t>("activation"))) {}

void GroupNormGradientKernel::Compute(Ort::KernelContext& context) {
  const GroupNormShape shape = ShapeFor(context, groups_, activation_);
  for (const size_t index : {3, 4}) {
    if (Count(ShapeOf(context.GetInput(index))) != shape.batch * shape.groups) Refuse("the statistics do not fit.");
  }
  if (ShapeOf(context.GetInput(5)) != ShapeOf(context.GetInput(0))) Refuse("the gradient does not fit.");
  float* x_gradient = Output(context, 0, ShapeOf(context.GetInput(0)));
  float* scale_gradient = Output(context, 1, ShapeOf(context.GetInput(1)));
  float* shift_gradient = Output(context, 2, ShapeOf(context.GetInput(2)));
  KernelParallel parallel(context);
  GroupNormBackward(ChooseSimdKernels(), shape, Data(context, 0), Data(context, 1), Data(context, 2), Data(context, 3),
                    Data(context, 4), Data(context, 5), x_gradient, scale_gradient, shift_gradient, parallel);
}

}  // namespace node_vae
