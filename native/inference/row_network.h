#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/spin_team.h"

namespace node_vae {

enum class RowActivation : uint8_t { kNone, kRelu, kSigmoid, kTanh };

// One fully connected layer, as it is given.
struct RowLayerSpec {
  uint32_t from = 0;  // 0: the network's input; i: layer i − 1
  size_t inputs = 0;
  size_t outputs = 0;
  std::span<const float> weights;  // [inputs, outputs]
  std::span<const float> bias;     // [outputs], or empty
  RowActivation activation = RowActivation::kNone;
  int output = -1;  // which of the model's outputs it is, if any
};

// A network of fully connected layers for one row at a time: what ONNX Runtime computes for a batch of
// one, without its costs for each run and each operator.
class RowNetwork {
 public:
  // Throws Error ERR_VAE_GRAPH where the layers do not fit together. `threads`: 0 chooses.
  RowNetwork(size_t inputs, std::span<const RowLayerSpec> layers, int threads);

  size_t inputs() const noexcept { return inputs_; }
  // The length of the model's output of this index; 0 when no layer gives it.
  size_t OutputSize(int output) const noexcept;

  // `outputs` by the index of the model's outputs; null where one is not wanted. Any number of threads.
  void Run(const float* input, std::span<float* const> outputs);

 private:
  // Strips of a layer that are computed together; their weights lie together.
  struct Group {
    size_t first = 0;
    size_t strips = 0;
  };
  struct Layer {
    uint32_t from = 0;
    size_t inputs = 0;
    size_t outputs = 0;
    std::vector<Group> groups;
    std::vector<size_t> parts;  // of each thread: its first group; then the number of groups
    RowActivation activation = RowActivation::kNone;
    int output = -1;
    size_t offset = 0;  // of its values in the scratch
    AlignedBuffer<float> weights;
    AlignedBuffer<float> bias;
  };

  static void Divide(Layer& layer, size_t strips, int threads);
  static void Compute(const Layer& layer, const float* input, float* values, size_t part, bool backward);

  const size_t inputs_;
  std::vector<Layer> layers_;
  size_t scratch_ = 0;
  std::atomic<uint32_t> runs_{0};
  std::unique_ptr<SpinTeam> team_;
};

}  // namespace node_vae
