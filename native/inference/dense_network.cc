#include "inference/dense_network.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.h"
#include "kernels/simd_kernels.h"

namespace node_vae {
namespace {

// Scratch that is kept for later runs.
constexpr size_t kMostKept = 4;

[[noreturn]] void Refuse(size_t layer, const std::string& what) {
  throw Error(code::kGraph, "Dense network, layer " + std::to_string(layer) + ": " + what + ".");
}

}  // namespace

DenseNetwork::DenseNetwork(size_t inputs, std::span<const DenseLayerSpec> layers, int threads)
    : inputs_(inputs), threads_(threads <= 0 ? DenseThreads() : std::min(threads, DenseThreads())) {
  for (size_t l = 0; l < layers.size(); ++l) {
    const DenseLayerSpec& spec = layers[l];
    if (spec.from > l) Refuse(l, "reads a layer that comes later");
    const size_t given = spec.from == 0 ? inputs : layers[spec.from - 1].outputs;
    if (spec.inputs != given) Refuse(l, "takes " + std::to_string(spec.inputs) + " values of " + std::to_string(given));
    if (spec.outputs == 0 || spec.weights.size() != spec.inputs * spec.outputs ||
        (!spec.bias.empty() && spec.bias.size() != spec.outputs)) {
      Refuse(l, "has arrays of the wrong length");
    }
    Layer layer;
    layer.from = spec.from;
    layer.inputs = spec.inputs;
    layer.outputs = spec.outputs;
    layer.strips = (spec.outputs + kStrip - 1) / kStrip;
    layer.activation = spec.activation;
    layer.output = spec.output;
    layer.weights = AlignedBuffer<float>(layer.strips * layer.inputs * kStrip);
    layer.bias = AlignedBuffer<float>(layer.strips * kStrip);
    for (size_t i = 0; i < layer.inputs; ++i) {
      for (size_t o = 0; o < layer.outputs; ++o) {
        layer.weights[(o / kStrip * layer.inputs + i) * kStrip + o % kStrip] = spec.weights[i * layer.outputs + o];
      }
    }
    std::copy(spec.bias.begin(), spec.bias.end(), layer.bias.data());
    layers_.push_back(std::move(layer));
  }
  for (const Layer& layer : layers_) {
    if (layer.from > 0) layers_[layer.from - 1].read = true;
  }
  for (Layer& layer : layers_) {
    if (!layer.read) continue;
    layer.offset = scratch_width_;
    scratch_width_ += layer.strips * kStrip;
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
