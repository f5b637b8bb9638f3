#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "inference/activations.h"

namespace node_vae {

// Threads that run dense networks, at most.
int DenseThreads() noexcept;

enum class DenseActivation : uint8_t { kNone, kRelu, kSigmoid, kTanh };

// How a layer multiplies in 8-bit integers: its input in steps of `scale` from `zero` (ONNX QuantizeLinear to uint8), its
// weights in steps of `scales`, by output.
struct Int8Layer {
  float scale = 0;
  int zero = 0;
  std::span<const int8_t> weights;  // [inputs, outputs], within ±kLargestInt8Weight
  std::span<const float> scales;    // [outputs]
  std::span<const int32_t> bias;    // [outputs] in steps of scale · scales, or empty
};

// One fully connected layer, as it is given.
struct DenseLayerSpec {
  uint32_t from = 0;  // 0: the network's input; i: layer i − 1
  size_t inputs = 0;
  size_t outputs = 0;
  std::span<const float> weights;  // [inputs, outputs]
  std::span<const float> bias;     // [outputs], or empty
  std::optional<Int8Layer> int8;   // instead of weights and bias
  DenseActivation activation = DenseActivation::kNone;
  int output = -1;  // which of the model's outputs it is, if any
};

// A network of fully connected layers: what ONNX Runtime computes, without its costs for each run and each
// operator, and in pieces that any thread may take. A row gives the same bits whatever rows are beside it.
// DenseRun runs it.
class DenseNetwork {
 public:
  // Throws Error ERR_VAE_GRAPH where the layers do not fit together, or are of integers and Supports() says no.
  // `threads`: 0 chooses.
  DenseNetwork(size_t inputs, std::span<const DenseLayerSpec> layers, int threads);

  // Whether the processor has kernels for these layers.
  static bool Supports(std::span<const DenseLayerSpec> layers) noexcept;

  size_t inputs() const noexcept { return inputs_; }
  // The width of the model's output of this index; 0 when no layer gives it.
  size_t OutputSize(int output) const noexcept;

 private:
  friend class DenseRun;

  struct Layer {
    uint32_t from = 0;
    size_t inputs = 0;
    size_t outputs = 0;
    size_t strips = 0;
    DenseActivation activation = DenseActivation::kNone;
    int output = -1;
    bool read = false;  // by another layer of float32
    size_t offset = 0;  // of its values in a row of scratch, where it is read
    AlignedBuffer<float> weights;
    AlignedBuffer<float> bias;
    // Of integers, where groups > 0.
    size_t groups = 0;
    AlignedBuffer<int8_t> int8_weights;
    AlignedBuffer<int32_t> int8_bias;
    AlignedBuffer<float> int8_scales;
  };

  // A value that layers of integers read.
  struct Rounded {
    float scale = 0;  // 0: none does
    int zero = 0;
    size_t offset = 0;  // in a row of scratch, in floats
    size_t stride = 0;  // bytes from row to row
  };

  void Pack(Layer& layer, size_t index, const DenseLayerSpec& spec);
  void PackInt8(Layer& layer, size_t index, const DenseLayerSpec& spec);

  // Memory for the values between layers. Runs hand it on, since fresh memory takes time to touch.
  AlignedBuffer<float> TakeScratch(size_t count);
  void GiveScratch(AlignedBuffer<float> scratch);

  const size_t inputs_;
  const int threads_;
  std::vector<Layer> layers_;
  std::vector<Rounded> rounded_;  // by value: 0 the input, i layer i − 1
  size_t scratch_width_ = 0;
  // Runs begin at the end of each layer. Changed by every run without help: it begins where the one before ended, with
  // what the cache still holds.
  std::atomic<bool> backward_{false};
  std::mutex mutex_;
  std::vector<AlignedBuffer<float>> scratch_;  // guarded by mutex_
};

// One run of some rows, cut into units. Whoever has time takes one: Finish() on the thread that runs it,
// Help() on another, at either end, so that each thread mostly reads the same weights in every run.
class DenseRun {
 public:
  // `outputs` by the index of the model's outputs; null where one is not wanted. Memory is borrowed.
  DenseRun(DenseNetwork& network, const float* input, size_t rows, std::vector<float*> outputs, bool check_finite,
           const ValueDomain& domain);
  ~DenseRun();
  DenseRun(const DenseRun&) = delete;
  DenseRun& operator=(const DenseRun&) = delete;

  // Returns when all is done, or when `stop` says so; with more threads if there are any but `busy_threads`. False
  // where the input holds NaN, infinity or what is outside its domain. Once, on one thread.
  bool Finish(int busy_threads, const std::atomic<bool>* stop);
  // Any thread meanwhile: does one unit, some microseconds of work; false when there was none to take.
  bool Help() noexcept;
  // Whether it wants help at all.
  bool helpable() const noexcept { return network_.threads_ > 1; }

 private:
  // Units of one kind that may be done at the same time.
  struct alignas(64) Step {
    std::atomic<uint64_t> open{0};  // first unit not taken, and << 32 the end of those
    std::atomic<uint32_t> done{0};
    uint32_t units = 0;
    int after = -1;  // the step that must be done before
    int layer = -1;  // −1: looks for NaN and rounds the input
    size_t first_row = 0;
    size_t rows = 0;
    size_t unit_rows = 0;
    size_t unit_strips = 0;
  };

  void Plan();
  void AddStep(int layer, int after, size_t first_row, size_t rows, size_t unit_rows, size_t unit_strips);
  bool TryUnit(bool from_end) noexcept;
  void Do(const Step& step, uint32_t unit) noexcept;
  bool ReadInput(size_t row, size_t rows) noexcept;
  void Compute(const Step& step, size_t row, size_t rows, size_t strip, size_t strips) noexcept;
  void Multiply(const DenseNetwork::Layer& layer, size_t row, size_t rows, size_t strip, size_t strips,
                float* tile) const noexcept;
  void Hand(const DenseNetwork::Layer& layer, size_t row, size_t rows, size_t strip, size_t strips,
            const float* tile) noexcept;
  uint8_t* RoundedRow(const DenseNetwork::Rounded& rounded, size_t row) const noexcept;
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

  DenseNetwork& network_;
  const float* const input_;
  const size_t rows_;
  const std::vector<float*> outputs_;
  const bool check_finite_;
  const ValueDomain domain_;
  AlignedBuffer<float> scratch_;
  std::unique_ptr<Step[]> steps_;
  size_t step_count_ = 0;
  uint32_t most_units_ = 0;  // of a step
  std::atomic<size_t> first_open_{0};  // steps before it have nothing left to take
  std::atomic<uint32_t> remaining_{0};  // units not done
  std::atomic<bool> stopped_{false};
  std::atomic<bool> finite_{true};
  std::atomic<bool> helped_{false};
  bool backward_ = false;
};

}  // namespace node_vae
