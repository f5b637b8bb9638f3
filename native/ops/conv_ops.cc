#include "ops/conv_ops.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace node_vae {
namespace {

// Offsets within a channel are kept in 32 bits.
constexpr int64_t kMostChannelFloats = std::numeric_limits<int32_t>::max() / 16;

[[noreturn]] void Refuse(const std::string& what) { throw std::invalid_argument("node_vae convolution: " + what); }

const float* DataOrNull(const Ort::ConstValue& value) { return value ? value.GetTensorData<float>() : nullptr; }

// The bias at input 2, or null.
const float* BiasOf(const Ort::KernelContext& context, int64_t channels) {
  if (context.GetInputCount() < 3) return nullptr;
  const Ort::ConstValue bias = context.GetInput(2);
  if (bias && ShapeOf(bias) != std::vector<int64_t>{channels}) Refuse("the bias needs one value for each channel.");
  return DataOrNull(bias);
}

}  // namespace

ConvAttributes::ConvAttributes(const Ort::ConstKernelInfo& info)
    : kernel_(info.GetAttributes<int64_t>("kernel_shape")),
      strides_(info.GetAttributes<int64_t>("strides")),
      dilations_(info.GetAttributes<int64_t>("dilations")),
      pads_(info.GetAttributes<int64_t>("pads")),
      group_(info.GetAttribute<int64_t>("group")) {
  const size_t rank = kernel_.size();
  if (rank < 1 || rank > 3) Refuse("one to three spatial dimensions are supported.");
  if (strides_.size() != rank || dilations_.size() != rank || pads_.size() != 2 * rank) {
    Refuse("strides, dilations or pads do not fit the kernel's rank.");
  }
  bool sane = group_ > 0;
  for (size_t i = 0; i < rank; ++i) sane = sane && kernel_[i] > 0 && strides_[i] > 0 && dilations_[i] > 0;
  for (const int64_t pad : pads_) sane = sane && pad >= 0;
  if (!sane) Refuse("an attribute is out of range.");
}

void ConvAttributes::CheckRank(const std::vector<int64_t>& shape, const char* what) const {
  if (shape.size() != kernel_.size() + 2) Refuse(std::string(what) + " has the wrong rank.");
}

std::vector<int64_t> ConvAttributes::MapOf(const std::vector<int64_t>& image, const std::vector<int64_t>& weight) const {
  CheckRank(image, "the image");
  CheckRank(weight, "the weight");
  std::vector<int64_t> map = {image[0], weight[0]};
  for (size_t i = 0; i < kernel_.size(); ++i) {
    const int64_t room = image[i + 2] + pads_[i] + pads_[i + kernel_.size()] - ((kernel_[i] - 1) * dilations_[i] + 1);
    if (room < 0) Refuse("the kernel is larger than the image.");
    map.push_back(room / strides_[i] + 1);
  }
  return map;
}

std::vector<int64_t> ConvAttributes::ImageOf(const std::vector<int64_t>& map, const std::vector<int64_t>& weight,
                                             const std::vector<int64_t>& left_over) const {
  CheckRank(map, "the map");
  CheckRank(weight, "the weight");
  if (left_over.size() != kernel_.size()) Refuse("output_padding does not fit the kernel's rank.");
  std::vector<int64_t> image = {map[0], weight[1] * group_};
  for (size_t i = 0; i < kernel_.size(); ++i) {
    const int64_t length = (map[i + 2] - 1) * strides_[i] + (kernel_[i] - 1) * dilations_[i] + 1 + left_over[i] -
                           pads_[i] - pads_[i + kernel_.size()];
    if (length <= 0) Refuse("the padding leaves nothing.");
    image.push_back(length);
  }
  return image;
}

ConvShape ConvAttributes::Shape(const std::vector<int64_t>& image, const std::vector<int64_t>& map,
                                const std::vector<int64_t>& weight) const {
  CheckRank(image, "the image");
  CheckRank(map, "the map");
  CheckRank(weight, "the weight");
  ConvShape shape;
  shape.batch = image[0];
  shape.groups = group_;
  shape.image_channels = image[1];
  shape.map_channels = map[1];
  bool fits = map[0] == image[0] && weight[0] == map[1] && weight[1] * group_ == image[1] && map[1] % group_ == 0;
  const size_t rank = kernel_.size();
  for (size_t i = 0; i < rank; ++i) {
    const size_t axis = 3 - rank + i;
    shape.image[axis] = image[i + 2];
    shape.map[axis] = map[i + 2];
    shape.kernel[axis] = kernel_[i];
    shape.stride[axis] = strides_[i];
    shape.dilation[axis] = dilations_[i];
    shape.pad[axis] = pads_[i];
    fits = fits && weight[i + 2] == kernel_[i];
  }
  if (!fits) Refuse("image, map and weight do not fit together.");
  const int64_t reach = shape.taps() * shape.map_places() + shape.image_places();
  if (reach > kMostChannelFloats) Refuse("a channel is too large.");
  return shape;
}

void ConvKernel::Compute(Ort::KernelContext& context) {
  const Ort::ConstValue image = context.GetInput(0);
  const Ort::ConstValue weight = context.GetInput(1);
  const std::vector<int64_t> image_shape = ShapeOf(image);
  const std::vector<int64_t> weight_shape = ShapeOf(weight);
  const std::vector<int64_t> map_shape = attributes_.MapOf(image_shape, weight_shape);
  const ConvShape shape = attributes_.Shape(image_shape, map_shape, weight_shape);
  float* map = context.GetOutput(0, map_shape).GetTensorMutableData<float>();
  if (shape.batch == 0) return;
  KernelParallel parallel(context);
  plans_.Find(shape, ConvSum::Result::kMap)
      ->Run(image.GetTensorData<float>(), weight.GetTensorData<float>(), BiasOf(context, shape.map_channels), map, parallel);
}

void ConvTransposeKernel::Compute(Ort::KernelContext& context) {
  const Ort::ConstValue map = context.GetInput(0);
  const Ort::ConstValue weight = context.GetInput(1);
  const std::vector<int64_t> map_shape = ShapeOf(map);
  const std::vector<int64_t> weight_shape = ShapeOf(weight);
  const std::vector<int64_t> image_shape = attributes_.ImageOf(map_shape, weight_shape, left_over_);
  const ConvShape shape = attributes_.Shape(image_shape, map_shape, weight_shape);
  float* image = context.GetOutput(0, image_shape).GetTensorMutableData<float>();
  if (shape.batch == 0) return;
  KernelParallel parallel(context);
  plans_.Find(shape, ConvSum::Result::kImage)
      ->Run(map.GetTensorData<float>(), weight.GetTensorData<float>(), BiasOf(context, shape.image_channels), image, parallel);
}

void ConvWeightGradientKernel::Compute(Ort::KernelContext& context) {
  const Ort::ConstValue image = context.GetInput(0);
  const Ort::ConstValue map = context.GetInput(1);
  const std::vector<int64_t> image_shape = ShapeOf(image);
  const std::vector<int64_t> map_shape = ShapeOf(map);
  if (image_shape.size() < 2 || map_shape.size() < 2) Refuse("image and map have no channels.");
  std::vector<int64_t> weight_shape = {map_shape[1], image_shape[1] / attributes_.group()};
  weight_shape.insert(weight_shape.end(), attributes_.kernel().begin(), attributes_.kernel().end());
  const ConvShape shape = attributes_.Shape(image_shape, map_shape, weight_shape);
  float* weight = context.GetOutput(0, weight_shape).GetTensorMutableData<float>();
  float* bias = nullptr;
  if (context.GetOutputCount() > 1) {
    Ort::UnownedValue output = context.GetOutput(1, {shape.map_channels});
    if (output) bias = output.GetTensorMutableData<float>();
  }
  if (shape.batch == 0) {
    std::fill_n(weight, shape.weight_count(), 0.0f);
    if (bias != nullptr) std::fill_n(bias, shape.map_channels, 0.0f);
    return;
  }
  KernelParallel parallel(context);
  plans_.Find(shape)->Run(image.GetTensorData<float>(), map.GetTensorData<float>(), weight, bias, parallel);
}

}  // namespace node_vae
