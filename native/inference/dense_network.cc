#include "inference/dense_network.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/error.h"
#include "kernels/int8_product.h"
#include "kernels/simd_kernels.h"

namespace node_vae {
namespace {

// Scratch that is kept for later runs.
constexpr size_t kMostKept = 4;
// Rows of integers begin on a cache line.
constexpr size_t kLine = 64;

[[noreturn]] void Refuse(size_t layer, const std::string& what) {
  throw Error(code::kGraph, "Dense network, layer " + std::to_string(layer) + ": " + what + ".");
}

}  // namespace

DenseNetwork::DenseNetwork(size_t inputs, std::span<const DenseLayerSpec> layers, int threads)
    : inputs_(inputs), threads_(threads <= 0 ? DenseThreads() : std::min(threads, DenseThreads())),
      rounded_(layers.size() + 1) {
  for (size_t l = 0; l < layers.size(); ++l) {
    const DenseLayerSpec& spec = layers[l];
    if (spec.from > l) Refuse(l, "reads a layer that comes later");
    const size_t given = spec.from == 0 ? inputs : layers[spec.from - 1].outputs;
    if (spec.inputs != given) Refuse(l, "takes " + std::to_string(spec.inputs) + " values of " + std::to_string(given));
    if (spec.outputs == 0) Refuse(l, "gives nothing");
    Layer layer;
    layer.from = spec.from;
    layer.inputs = spec.inputs;
    layer.outputs = spec.outputs;
    layer.strips = (spec.outputs + kStrip - 1) / kStrip;
    layer.activation = spec.activation;
    layer.output = spec.output;
    if (spec.int8) {
      PackInt8(layer, l, spec);
    } else {
      Pack(layer, l, spec);
    }
    layers_.push_back(std::move(layer));
  }
  for (const Layer& layer : layers_) {
    if (layer.from > 0 && layer.groups == 0) layers_[layer.from - 1].read = true;
  }
  for (Layer& layer : layers_) {
    if (!layer.read) continue;
    layer.offset = scratch_width_;
    scratch_width_ += layer.strips * kStrip;
  }
  for (size_t value = 0; value < rounded_.size(); ++value) {
    Rounded& rounded = rounded_[value];
    if (rounded.scale == 0) continue;
    const size_t width = value == 0 ? inputs_ : layers_[value - 1].outputs;
    rounded.stride = (width + kLine - 1) / kLine * kLine;
    rounded.offset = scratch_width_;
    scratch_width_ += rounded.stride / sizeof(float);
  }
}

bool DenseNetwork::Supports(std::span<const DenseLayerSpec> layers) noexcept {
  return ChooseInt8Kernels() != nullptr ||
         std::none_of(layers.begin(), layers.end(), [](const DenseLayerSpec& layer) { return layer.int8.has_value(); });
}

void DenseNetwork::Pack(Layer& layer, size_t index, const DenseLayerSpec& spec) {
  if (spec.weights.size() != spec.inputs * spec.outputs || (!spec.bias.empty() && spec.bias.size() != spec.outputs)) {
    Refuse(index, "has arrays of the wrong length");
  }
  layer.weights = AlignedBuffer<float>(layer.strips * layer.inputs * kStrip);
  layer.bias = AlignedBuffer<float>(layer.strips * kStrip);
  for (size_t i = 0; i < layer.inputs; ++i) {
    for (size_t o = 0; o < layer.outputs; ++o) {
      layer.weights[(o / kStrip * layer.inputs + i) * kStrip + o % kStrip] = spec.weights[i * layer.outputs + o];
    }
  }
  std::copy(spec.bias.begin(), spec.bias.end(), layer.bias.data());
}

void DenseNetwork::PackInt8(Layer& layer, size_t index, const DenseLayerSpec& spec) {
  const Int8Layer& int8 = *spec.int8;
  if (ChooseInt8Kernels() == nullptr) Refuse(index, "is of integers, which this processor has no kernels for");
  if (int8.weights.size() != spec.inputs * spec.outputs || int8.scales.size() != spec.outputs ||
      (!int8.bias.empty() && int8.bias.size() != spec.outputs)) {
    Refuse(index, "has arrays of the wrong length");
  }
  if (!(int8.scale > 0) || !std::isfinite(int8.scale) || int8.zero < 0 || int8.zero > 255) {
    Refuse(index, "rounds its input to no range");
  }
  Rounded& rounded = rounded_[spec.from];
  if (rounded.scale != 0 && (rounded.scale != int8.scale || rounded.zero != int8.zero)) {
    Refuse(index, "rounds its input otherwise than a layer before");
  }
  rounded.scale = int8.scale;
  rounded.zero = int8.zero;
  layer.groups = (layer.inputs + kInt8Group - 1) / kInt8Group;
  layer.int8_weights = AlignedBuffer<int8_t>(layer.strips * layer.groups * kStrip * kInt8Group);
  layer.int8_bias = AlignedBuffer<int32_t>(layer.strips * kStrip);
  layer.int8_scales = AlignedBuffer<float>(layer.strips * kStrip);
  for (size_t o = 0; o < layer.outputs; ++o) {
    // As 32-bit integers add up: round the corner, should they be that large.
    uint32_t bias = int8.bias.empty() ? 0 : static_cast<uint32_t>(int8.bias[o]);
    for (size_t i = 0; i < layer.inputs; ++i) {
      const int8_t weight = int8.weights[i * layer.outputs + o];
      if (std::abs(int{weight}) > kLargestInt8Weight) Refuse(index, "has weights beyond 64");
      const size_t group = o / kStrip * layer.groups + i / kInt8Group;
      layer.int8_weights[(group * kStrip + o % kStrip) * kInt8Group + i % kInt8Group] = weight;
      bias -= static_cast<uint32_t>(int8.zero * weight);
    }
    layer.int8_bias[o] = static_cast<int32_t>(bias);
    layer.int8_scales[o] = int8.scale * int8.scales[o];
  }
}

size_t DenseNetwork::OutputSize(int output) const noexcept {
  for (const Layer& layer : layers_) {
    if (layer.output == output) return layer.outputs;
  }
  return 0;
}

AlignedBuffer<float> DenseNetwork::TakeScratch(size_t count) {
  if (count == 0) return {};
  {
    const std::lock_guard lock(mutex_);
    for (AlignedBuffer<float>& kept : scratch_) {
      if (kept.size() < count || kept.size() > 4 * count) continue;
      std::swap(kept, scratch_.back());
      AlignedBuffer<float> taken = std::move(scratch_.back());
      scratch_.pop_back();
      return taken;
    }
  }
  return AlignedBuffer<float>(count);
}

void DenseNetwork::GiveScratch(AlignedBuffer<float> scratch) {
  if (scratch.empty()) return;
  const std::lock_guard lock(mutex_);
  if (scratch_.size() == kMostKept) scratch_.erase(scratch_.begin());
  scratch_.push_back(std::move(scratch));
}

}  // namespace node_vae
