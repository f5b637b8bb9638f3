#include "inference/row_network.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>

#include "core/error.h"
#include "inference/row_kernels.h"

namespace node_vae {
namespace {

// Weights for each thread: 3 µs of reading. Smaller layers are done before another thread is told.
constexpr size_t kShare = size_t{48} * 1024;
// More threads take longer to agree than they save.
constexpr int kMostThreads = 4;

[[noreturn]] void Refuse(size_t layer, const std::string& what) {
  throw Error(code::kGraph, "Row network, layer " + std::to_string(layer) + ": " + what + ".");
}

}  // namespace

RowNetwork::RowNetwork(size_t inputs, std::span<const RowLayerSpec> layers, int threads) : inputs_(inputs) {
  // One processor is left to the thread that waits for the result: two threads that take turns on one are
  // slower than one thread fewer.
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  threads = std::clamp(threads <= 0 ? processors - 1 : std::min(threads, processors - 1), 1, kMostThreads);
  size_t team = 1;
  for (size_t l = 0; l < layers.size(); ++l) {
    const RowLayerSpec& spec = layers[l];
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
    layer.activation = spec.activation;
    layer.output = spec.output;
    layer.offset = scratch_;
    const size_t strips = (spec.outputs + kStrip - 1) / kStrip;
    Divide(layer, strips, threads);
    layer.weights = AlignedBuffer<float>(strips * layer.inputs * kStrip);
    layer.bias = AlignedBuffer<float>(strips * kStrip);
    for (size_t i = 0; i < layer.inputs; ++i) {
      for (size_t o = 0; o < layer.outputs; ++o) {
        layer.weights[(o / kStrip * layer.inputs + i) * kStrip + o % kStrip] = spec.weights[i * layer.outputs + o];
      }
    }
    std::copy(spec.bias.begin(), spec.bias.end(), layer.bias.data());
    scratch_ += strips * kStrip;
    team = std::max(team, layer.parts.size() - 1);
    layers_.push_back(std::move(layer));
  }
  if (team > 1) team_ = std::make_unique<SpinTeam>(static_cast<int>(team));
}

// Divides the strips among threads, and each one's in groups of equal size: a single strip left at the
// end would take as long as four.
void RowNetwork::Divide(Layer& layer, size_t strips, int threads) {
  const size_t parts = std::clamp<size_t>(strips * kStrip * layer.inputs / kShare, 1, static_cast<size_t>(threads));
  for (size_t part = 0; part < parts; ++part) {
    layer.parts.push_back(layer.groups.size());
    const size_t first = strips * part / parts;
    const size_t count = strips * (part + 1) / parts - first;
    const size_t groups = (count + kMostStrips - 1) / kMostStrips;
    for (size_t g = 0; g < groups; ++g) {
      const size_t from = count * g / groups;
      layer.groups.push_back({first + from, count * (g + 1) / groups - from});
    }
  }
  layer.parts.push_back(layer.groups.size());
}

size_t RowNetwork::OutputSize(int output) const noexcept {
  for (const Layer& layer : layers_) {
    if (layer.output == output) return layer.outputs;
  }
  return 0;
}

void RowNetwork::Compute(const Layer& layer, const float* input, float* values, size_t part, bool backward) {
  const size_t begin = layer.parts[part];
  const size_t end = layer.parts[part + 1];
  for (size_t g = begin; g < end; ++g) {
    const Group& group = layer.groups[backward ? end - 1 - (g - begin) : g];
    const size_t at = group.first * kStrip;
    MultiplyStrips(input, layer.inputs, layer.weights.data() + at * layer.inputs, layer.bias.data() + at, group.strips,
                   values + at);
  }
  const Group& last = layer.groups[end - 1];
  float* const out = values + layer.groups[begin].first * kStrip;
  const auto count = static_cast<size_t>(values + (last.first + last.strips) * kStrip - out);
  switch (layer.activation) {
    case RowActivation::kNone:
      break;
    case RowActivation::kRelu:
      Relu(out, count);
      break;
    case RowActivation::kSigmoid:
      Sigmoid(out, count);
      break;
    case RowActivation::kTanh:
      Tanh(out, count);
      break;
  }
}

void RowNetwork::Run(const float* input, std::span<float* const> outputs) {
  thread_local std::vector<float> scratch;
  if (scratch.size() < scratch_) scratch.resize(scratch_);
  float* const values = scratch.data();
  SpinTeam::Turn turn(team_.get());
  const bool alone = turn.size() == 1;
  // Every other run reads the weights from their end: what the last run read last is still in the cache.
  const bool backward = (runs_.fetch_add(1, std::memory_order_relaxed) & 1u) != 0;
  for (const Layer& layer : layers_) {
    const float* const from = layer.from == 0 ? input : values + layers_[layer.from - 1].offset;
    float* const to = values + layer.offset;
    if (layer.parts.size() == 2 || alone) {
      for (size_t part = 0; part + 1 < layer.parts.size(); ++part) Compute(layer, from, to, part, backward);
    } else {
      turn.Run([&](int part) {
        const auto p = static_cast<size_t>(part);
        if (p + 1 < layer.parts.size()) Compute(layer, from, to, p, backward);
      });
    }
    if (layer.output >= 0 && outputs[static_cast<size_t>(layer.output)] != nullptr) {
      std::memcpy(outputs[static_cast<size_t>(layer.output)], to, layer.outputs * sizeof(float));
    }
  }
}

}  // namespace node_vae
