// The steps of training and of evaluation.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "training/kernels.h"
#include "training/session.h"

namespace node_vae {
namespace {

// Adds the time it lives to `total`.
class Timer {
 public:
  explicit Timer(double& total) : total_(total), start_(std::chrono::steady_clock::now()) {}
  ~Timer() { total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double& total_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

TrainResult TrainingSession::Train(const TrainRequest& request, Ort::RunOptions& options, AbortState* abort,
                                   const std::atomic<bool>& stop) {
  if (device_) return TrainOnDevice(request, options, abort, stop);
  TrainResult result;
  const size_t batches = request.batch_sizes.size();
  result.scalars.assign(config_.scalars.size(), {});
  for (auto& values : result.scalars) values.reserve(batches);
  result.gradient_norms.reserve(batches);
  const auto output = [this](size_t index, int64_t) { return BindTrainOutput(index); };
  const auto stopping = [&] { return stop.load(std::memory_order_acquire) || (abort != nullptr && abort->aborted()); };
  const auto fail = [&](std::string where, bool applied = false) {
    result.non_finite = NonFinite{request.first_micro_batch + result.completed, std::move(where), applied};
  };

  const AbortState::Running running(abort, options);
  size_t first_row = 0;
  for (size_t batch = 0; batch < batches && !stopping(); ++batch) {
    {
      const Timer timer(result.seconds.assemble);
      Assemble(request, train_inputs_, batch, first_row);
    }
    first_row += request.batch_sizes[batch];
    try {
      const Timer timer(result.seconds.graph);
      RunGraph(train_graph_, train_inputs_, request, batch, false, output, options);
    } catch (const Ort::Exception& error) {
      if (stopping()) break;
      ThrowRuntimeError(error, "Micro-batch " + std::to_string(request.first_micro_batch + batch) + " of training");
    }
    if (!config_.scalars.empty() && !std::isfinite(scalar_outputs_[0])) {
      fail(config_.scalars[0]);
      break;
    }

    const Timer timer(result.seconds.optimizer);
    double norm = optimizer_.GradientNorm(gradients_.data(), 1);
    if (!std::isfinite(norm)) {
      fail(NameNonFinite(gradients_.data(), "gradient"));
      break;
    }
    if (std::string state = NameNonFiniteState(); !state.empty()) {
      fail(std::move(state));
      break;
    }
    CommitStates();
    float gradient_norm = std::numeric_limits<float>::quiet_NaN();
    float update_norm = gradient_norm;
    if (request.step && request.accumulate == 1 && pending_ == 0) {
      show_accumulator_ = false;
      shown_scale_ = 1;
      gradient_norm = static_cast<float>(norm);
      update_norm = static_cast<float>(optimizer_.Apply(parameters_.data(), gradients_.data(), 1, norm,
                                                        request.learning_rates[batch], request.measure_updates));
      if (request.measure_updates && !std::isfinite(update_norm)) {
        fail(NameNonFinite(parameters_.data(), "update"), true);
        break;
      }
    } else {
      AddToAccumulator();
      if (request.step && pending_ >= request.accumulate) {
        const StepResult step = StepFromAccumulator(request.learning_rates[batch], request.measure_updates);
        if (!step.non_finite.empty()) {
          fail(step.non_finite, step.applied);
          break;
        }
        pending_ = 0;
        gradient_norm = static_cast<float>(step.gradient_norm);
        update_norm = static_cast<float>(step.update_norm);
      }
    }
    for (size_t s = 0; s < config_.scalars.size(); ++s) result.scalars[s].push_back(scalar_outputs_[s]);
    result.gradient_norms.push_back(gradient_norm);
    if (request.measure_updates) result.update_norms.push_back(update_norm);
    ++result.completed;
  }
  return result;
}

void TrainingSession::AddToAccumulator() {
  const size_t count = layout_.trainable_native_count();
  if (accumulator_.empty()) accumulator_ = AlignedBuffer<float>(count);
  const auto& chunks = layout_.chunks();
  const bool first = pending_ == 0;
  team_.For(chunks.size(), [&](size_t i) {
    float* sum = accumulator_.data() + chunks[i].offset;
    const float* values = gradients_.data() + chunks[i].offset;
    if (first) {
      std::copy_n(values, chunks[i].count, sum);
    } else {
      kernels::Add(sum, values, chunks[i].count);
    }
  });
  ++pending_;
  show_accumulator_ = true;
  shown_scale_ = AccumulatedScale();
}

StepResult TrainingSession::StepFromAccumulator(double learning_rate, bool measure) {
  StepResult result;
  const double scale = config_.sum_gradients ? 1.0 : 1.0 / pending_;
  result.gradient_norm = optimizer_.GradientNorm(accumulator_.data(), scale);
  if (!std::isfinite(result.gradient_norm)) {
    result.non_finite = NameNonFinite(accumulator_.data(), "gradient");
    return result;
  }
  result.update_norm = optimizer_.Apply(parameters_.data(), accumulator_.data(), scale, result.gradient_norm,
                                        learning_rate, measure);
  if (measure && !std::isfinite(result.update_norm)) {
    result.non_finite = NameNonFinite(parameters_.data(), "update");
    result.applied = true;
  }
  return result;
}

StepResult TrainingSession::OptimizerStep(double learning_rate) {
  if (pending_ == 0) {
    throw Error(code::kData, "optimizerStep(): no gradient is accumulated; call accumulate() first.");
  }
  const StepResult result = device_ ? StepOnDevice(learning_rate) : StepFromAccumulator(learning_rate, true);
  if (result.non_finite.empty() && !config_.keep_gradient) pending_ = 0;
  return result;
}

void TrainingSession::ResetGradient() {
  pending_ = 0;
  show_accumulator_ = false;
  shown_scale_ = 1;
  if (device_) return device_->ClearGradients();
  std::fill_n(gradients_.data(), gradients_.size(), 0.0f);
}

void TrainingSession::set_pending(uint32_t pending) {
  if (pending > 0 && !device_ && accumulator_.empty()) accumulator_ = AlignedBuffer<float>(layout_.trainable_native_count());
  pending_ = pending;
  show_accumulator_ = pending > 0;
  shown_scale_ = pending > 0 ? AccumulatedScale() : 1.0f;
}

void TrainingSession::CommitStates() noexcept {
  for (size_t i = 0; i < states_.size(); ++i) {
    std::copy_n(next_states_[i].data(), next_states_[i].size(), states_[i].data());
  }
}

namespace {

bool AllFinite(const float* values, size_t count) {
  return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

}  // namespace

std::string TrainingSession::NameNonFinite(const float* values, const char* what) const {
  for (size_t p = 0; p < config_.parameters.size(); ++p) {
    const ParameterLayout::Entry& entry = layout_.entries()[p];
    if (!entry.trainable || AllFinite(values + entry.offset, entry.count)) continue;
    return std::string(what) + " of " + config_.parameters[p].name;
  }
  return what;
}

std::string TrainingSession::NameNonFiniteState() const {
  for (size_t i = 0; i < next_states_.size(); ++i) {
    if (!AllFinite(next_states_[i].data(), next_states_[i].size())) return "next value of " + config_.states[i].name;
  }
  return {};
}

std::vector<std::vector<float>> TrainingSession::Evaluate(const EvalRequest& request, Ort::RunOptions& options,
                                                          AbortState* abort, const std::atomic<bool>& stop) {
  std::vector<std::vector<float>> results(config_.per_example.size());
  const uint32_t largest =
      request.batch_sizes.empty() ? 0 : *std::max_element(request.batch_sizes.begin(), request.batch_sizes.end());
  for (size_t i = 0; i < example_outputs_.size(); ++i) {
    const size_t needed = ExampleCount(i, largest);
    if (example_outputs_[i].size() >= needed) continue;
    example_outputs_[i] = AlignedBuffer<float>(needed);
    eval_graph_->Forget();
  }
  const auto output = [this](size_t index, int64_t rows) {
    if (example_is_whole_[index]) return BoundGraph::Bound{example_outputs_[index].data(), example_dims_[index]};
    std::vector<int64_t> dims = {rows};
    dims.insert(dims.end(), example_dims_[index].begin(), example_dims_[index].end());
    return BoundGraph::Bound{example_outputs_[index].data(), std::move(dims)};
  };
  const auto stopping = [&] { return stop.load(std::memory_order_acquire) || (abort != nullptr && abort->aborted()); };
  const auto aborted = [] { return Error(code::kAborted, "The evaluation was aborted."); };

  const AbortState::Running running(abort, options);
  size_t first_row = 0;
  for (size_t batch = 0; batch < request.batch_sizes.size(); ++batch) {
    if (stopping()) throw aborted();
    Assemble(request, eval_inputs_, batch, first_row);
    const uint32_t rows = request.batch_sizes[batch];
    first_row += rows;
    try {
      if (device_) {
        std::vector<Ort::Value> values;
        std::vector<OrtValue*> outputs;
        for (size_t i = 0; i < results.size(); ++i) {
          values.push_back(BoundGraph::MakeValue(output(i, rows), *eval_graph_->output_info(i).type));
          outputs.push_back(values.back());
        }
        RunOnDevice(*eval_graph_, eval_inputs_, request, batch, request.use_ema, outputs, options);
      } else {
        RunGraph(*eval_graph_, eval_inputs_, request, batch, request.use_ema, output, options);
      }
    } catch (const Ort::Exception& error) {
      if (stopping()) throw aborted();
      ThrowRuntimeError(error, "Micro-batch " + std::to_string(batch) + " of evaluation");
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const float* values = example_outputs_[i].data();
      results[i].insert(results[i].end(), values, values + ExampleCount(i, rows));
    }
  }
  return results;
}

}  // namespace node_vae
