#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/thread_team.h"
#include "ort/abort.h"
#include "training/config.h"
#include "training/device_state.h"
#include "training/graph.h"
#include "training/layout.h"
#include "training/optimizer.h"
#include "training/rows.h"

namespace node_vae {

// A tensor given with a request in place of what its feed would make; borrowed.
struct GivenTensor {
  size_t feed = 0;
  void* data = nullptr;
  std::vector<int64_t> dims;
};

// The part that training and evaluation have in common.
struct BatchRequest {
  std::vector<uint32_t> indices;
  std::vector<uint32_t> batch_sizes;
  uint64_t first_micro_batch = 0;
  // By feed index; empty for feeds that are not scalars.
  std::vector<std::vector<float>> scalars;
  std::vector<GivenTensor> given;
};

struct TrainRequest : BatchRequest {
  std::vector<double> learning_rates;
  uint32_t accumulate = 1;
  bool measure_updates = false;
  // false: add to the accumulator, take no step.
  bool step = true;
};

struct NonFinite {
  uint64_t micro_batch = 0;
  std::string where;
  // The step was taken before it showed: the parameters are not finite any more.
  bool applied = false;
};

struct Seconds {
  double assemble = 0;
  double graph = 0;
  double optimizer = 0;
};

struct TrainResult {
  size_t completed = 0;
  std::vector<std::vector<float>> scalars;  // by scalar, then by micro-batch
  std::vector<float> gradient_norms;
  std::vector<float> update_norms;
  std::optional<NonFinite> non_finite;
  Seconds seconds;
};

struct EvalRequest : BatchRequest {
  bool use_ema = false;
};

struct StepResult {
  double gradient_norm = 0;
  double update_norm = 0;
  std::string non_finite;  // empty when the step was taken and its result is finite
  bool applied = false;    // see NonFinite
};

// Parameters, gradients and moments of a model in training, and the graphs that use them. One call at a
// time; the caller sees to that.
class TrainingSession {
 public:
  TrainingSession(TrainingConfig config, const ModelSource& training_model, const std::optional<ModelSource>& eval_model);

  const TrainingConfig& config() const noexcept { return config_; }
  const ParameterLayout& layout() const noexcept { return layout_; }
  int FindFeed(const std::string& name) const noexcept;
  // What a given tensor for this feed must be; nullptr when no graph wants it.
  const ElementType* FeedType(size_t feed) const noexcept;
  // Native memory of this session, ONNX Runtime's own not counted.
  int64_t Bytes() const noexcept;

  void AttachRows(size_t feed, const RowData& rows);

  // Check what can be checked without running; throw Error(ERR_VAE_SHAPE or ERR_VAE_DATA).
  void CheckTrain(const TrainRequest& request) const;
  void CheckEval(const EvalRequest& request) const;

  // Stop early, with what was done, when aborted or `stop` is set. Throw Error(ERR_VAE_RUNTIME).
  TrainResult Train(const TrainRequest& request, Ort::RunOptions& options, AbortState* abort,
                    const std::atomic<bool>& stop);
  // One array per name of `per_example`; of an output that is one for the whole batch, one value per micro-batch. Throws Error(ERR_VAE_ABORTED) when aborted.
  std::vector<std::vector<float>> Evaluate(const EvalRequest& request, Ort::RunOptions& options, AbortState* abort,
                                           const std::atomic<bool>& stop);
  StepResult OptimizerStep(double learning_rate);
  void ResetGradient();
  // Throws Error(ERR_VAE_OPTION) where the optimizer is a graph on a device.
  void SetOptimizer(const OptimizerSpec& spec);

  int64_t step() const noexcept { return optimizer_.step(); }
  void set_step(int64_t step) noexcept { optimizer_.set_step(step); }
  uint32_t pending() const noexcept { return pending_; }
  void set_pending(uint32_t pending);

  // Flat arrays of layout().flat_count() values.
  void GetParameters(float* flat) const;
  void SetParameters(const float* flat);
  void GetGradients(float* flat) const;
  bool HasSlot(Slot slot) const noexcept;
  void GetSlot(Slot slot, float* flat) const;
  // Throws Error(ERR_VAE_OPTION) for a slot that the configuration does not have.
  void SetSlot(Slot slot, const float* flat);
  size_t StateCount(size_t state) const noexcept { return CountElements(config_.states[state].dims); }
  void GetState(size_t state, float* values) const;
  void SetState(size_t state, const float* values);

  std::string EndProfiling() { return train_graph_.session().EndProfiling(); }

 private:
  // Where one input of a graph comes from.
  struct InputSource {
    enum class Kind { kParameter, kState, kFeed } kind = Kind::kFeed;
    size_t index = 0;
  };

  std::vector<std::string> TrainOutputs() const;
  void DescribeExamples();
  // Values of an output of the eval graph for so many rows.
  size_t ExampleCount(size_t output, size_t rows) const noexcept;
  // What makes the accumulator the gradient: of the mean, or of the sum.
  float AccumulatedScale() const noexcept {
    return config_.sum_gradients ? 1.0f : 1.0f / static_cast<float>(pending_);
  }
  std::vector<InputSource> MapInputs(BoundGraph& graph, const char* which) const;
  void CheckTrainOutputs() const;
  void CheckBatches(const BatchRequest& request, const BoundGraph& graph, const std::vector<InputSource>& inputs) const;
  const GivenTensor* FindGiven(const BatchRequest& request, size_t feed) const noexcept;

  void Reserve(size_t feed, int64_t rows);
  void Assemble(const BatchRequest& request, const std::vector<InputSource>& inputs, size_t batch, size_t first_row);
  void RunGraph(BoundGraph& graph, const std::vector<InputSource>& inputs, const BatchRequest& request, size_t batch,
                bool use_ema, const BoundGraph::Bind& output, Ort::RunOptions& options);
  BoundGraph::Bound BindInput(const InputSource& source, int64_t rows, bool use_ema, const ValueInfo& info) const;
  BoundGraph::Bound BindTrainOutput(size_t index) const;
  void AddToAccumulator();
  StepResult StepFromAccumulator(double learning_rate, bool measure);
  void CommitStates() noexcept;
  std::string NameNonFinite(const float* values, const char* what) const;
  std::string NameNonFiniteState() const;
  float* SlotData(Slot slot) const noexcept;

  // The same where parameters and optimizer live on a device (session_device.cc).
  struct DeviceRow;
  TrainResult TrainOnDevice(const TrainRequest& request, Ort::RunOptions& options, AbortState* abort,
                            const std::atomic<bool>& stop);
  bool Settle(std::vector<DeviceRow>& rows, const TrainRequest& request, TrainResult& result, Ort::RunOptions& options);
  StepResult StepOnDevice(double learning_rate);
  void RunOnDevice(BoundGraph& graph, const std::vector<InputSource>& inputs, const BatchRequest& request, size_t batch,
                   bool use_ema, const std::vector<OrtValue*>& outputs, Ort::RunOptions& options);
  std::vector<OrtValue*> DeviceTrainOutputs();
  std::string NameNonFiniteOnDevice(const TrainRequest& request, const DeviceRow& row, Ort::RunOptions& options);

  TrainingConfig config_;
  ParameterLayout layout_;
  ThreadTeam team_;
  Optimizer optimizer_;
  BoundGraph train_graph_;
  std::unique_ptr<BoundGraph> eval_graph_;
  // Holds parameters, gradients, moments and states in place of the buffers below.
  std::unique_ptr<DeviceState> device_;
  std::vector<InputSource> train_inputs_;
  std::vector<InputSource> eval_inputs_;

  AlignedBuffer<float> parameters_;
  AlignedBuffer<float> gradients_;    // of the last micro-batch; ONNX Runtime writes here
  AlignedBuffer<float> accumulator_;  // sums over pending_ micro-batches; made when first needed
  uint32_t pending_ = 0;
  // What getGradients() shows: one of the two above, and the factor that makes it a mean.
  bool show_accumulator_ = false;
  float shown_scale_ = 1;

  std::vector<AlignedBuffer<float>> states_;
  std::vector<AlignedBuffer<float>> next_states_;
  std::vector<AlignedBytes> feed_memory_;  // one staging area per feed, grown as needed
  std::vector<std::optional<RowData>> rows_;
  AlignedBuffer<float> scalar_outputs_;
  std::vector<AlignedBuffer<float>> example_outputs_;
  std::vector<std::vector<int64_t>> example_dims_;  // of one row, or of an output that is whole
  // An output that has no row for each example: a loss.
  std::vector<bool> example_is_whole_;
};

}  // namespace node_vae
