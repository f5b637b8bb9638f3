// Training where parameters, gradients, moments and states stay in the provider's memory. Steps are queued one behind
// another; a table of losses and norms comes up when it is full, or at the end of a request. Whether something was not
// finite shows then: the graphs of the step saw to it that nothing changed from there on.
#include <chrono>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "training/session.h"

namespace node_vae {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool AllFinite(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

class Stopwatch {
 public:
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

// A micro-batch that was queued, and how things stood before it.
struct TrainingSession::DeviceRow {
  size_t batch = 0;
  size_t first_row = 0;
  bool stepped = false;
  uint32_t pending = 0;
  int64_t step = 0;
};

void TrainingSession::RunOnDevice(BoundGraph& graph, const std::vector<InputSource>& inputs, const BatchRequest& request,
                                  size_t batch, bool use_ema, const std::vector<OrtValue*>& outputs,
                                  Ort::RunOptions& options) {
  const int64_t rows = request.batch_sizes[batch];
  // What is on the host goes up as it is given.
  std::vector<Ort::Value> owned;
  owned.reserve(inputs.size());
  std::vector<const OrtValue*> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputSource& source = inputs[i];
    if (source.kind == InputSource::Kind::kParameter) {
      values.push_back(device_->Parameter(source.index, use_ema));
      continue;
    }
    if (source.kind == InputSource::Kind::kState) {
      values.push_back(device_->State(source.index));
      continue;
    }
    const ValueInfo& info = graph.session().inputs()[i];
    const GivenTensor* given = FindGiven(request, source.index);
    const BoundGraph::Bound bound =
        given != nullptr ? BoundGraph::Bound{given->data, given->dims} : BindInput(source, rows, use_ema, info);
    owned.push_back(BoundGraph::MakeValue(bound, *info.type));
    values.push_back(owned.back());
  }
  std::vector<OrtValue*> targets = outputs;
  Ort::ThrowOnError(Ort::GetApi().Run(graph.session().ort(), options, graph.input_names().data(), values.data(),
                                      values.size(), graph.output_pointers().data(), targets.size(), targets.data()));
}

// In the order of TrainOutputs().
std::vector<OrtValue*> TrainingSession::DeviceTrainOutputs() {
  std::vector<OrtValue*> outputs;
  for (size_t s = 0; s < config_.scalars.size(); ++s) outputs.push_back(device_->Scalar(s));
  for (size_t p = 0; p < config_.parameters.size(); ++p) {
    if (config_.parameters[p].trainable) outputs.push_back(device_->Gradient(p));
  }
  for (size_t s = 0; s < config_.states.size(); ++s) outputs.push_back(device_->NextState(s));
  return outputs;
}

TrainResult TrainingSession::TrainOnDevice(const TrainRequest& request, Ort::RunOptions& options, AbortState* abort,
                                           const std::atomic<bool>& stop) {
  TrainResult result;
  const size_t batches = request.batch_sizes.size();
  result.scalars.assign(config_.scalars.size(), {});
  const auto stopping = [&] { return stop.load(std::memory_order_acquire) || (abort != nullptr && abort->aborted()); };
  const AbortState::Running running(abort, options);
  const std::vector<OrtValue*> outputs = DeviceTrainOutputs();
  std::vector<DeviceRow> rows;
  size_t first_row = 0;
  bool finite = true;
  for (size_t batch = 0; finite && batch < batches && !stopping(); ++batch) {
    Stopwatch watch;
    Assemble(request, train_inputs_, batch, first_row);
    result.seconds.assemble += watch.Lap();
    DeviceRow row{.batch = batch, .first_row = first_row, .stepped = false, .pending = pending_, .step = step()};
    try {
      RunOnDevice(train_graph_, train_inputs_, request, batch, false, outputs, options);
      result.seconds.graph += watch.Lap();
      const bool direct = request.step && request.accumulate == 1 && pending_ == 0;
      if (!direct) {
        device_->Accumulate(pending_ == 0, rows.size(), options);
        ++pending_;
      }
      row.stepped = direct || (request.step && pending_ >= request.accumulate);
      if (row.stepped) {
        const double scale = direct || config_.sum_gradients ? 1.0 : 1.0 / pending_;
        device_->Step(!direct, optimizer_.Numbers(request.learning_rates[batch], scale), rows.size(), options);
        optimizer_.set_step(step() + 1);
        show_accumulator_ = !direct;
        shown_scale_ = direct ? 1 : AccumulatedScale();
        pending_ = 0;
      } else {
        show_accumulator_ = true;
        shown_scale_ = AccumulatedScale();
      }
    } catch (const Ort::Exception& error) {
      // What the micro-batch began is undone: it may have been added, and not applied.
      pending_ = row.pending;
      if (stopping()) break;
      ThrowRuntimeError(error, "Micro-batch " + std::to_string(request.first_micro_batch + batch) + " of training");
    }
    rows.push_back(row);
    first_row += request.batch_sizes[batch];
    if (rows.size() == device_->log_rows()) finite = Settle(rows, request, result, options);
    result.seconds.optimizer += watch.Lap();
  }
  if (finite) Settle(rows, request, result, options);
  return result;
}

// Waits for what was queued and takes its losses and norms into the result. False where something was not finite: then
// the session is as it was before that micro-batch.
bool TrainingSession::Settle(std::vector<DeviceRow>& rows, const TrainRequest& request, TrainResult& result,
                             Ort::RunOptions& options) {
  if (rows.empty()) return true;
  std::vector<float> log;
  try {
    log = device_->ReadLog();
  } catch (const Ort::Exception& error) {
    ThrowRuntimeError(error, "Reading the losses of training");
  }
  const size_t scalars = config_.scalars.size();
  for (size_t i = 0; i < rows.size(); ++i) {
    const DeviceRow& row = rows[i];
    const float* entry = log.data() + i * device_->log_columns();
    const float norm = entry[scalars];
    const float update = entry[scalars + 1];
    const bool alive = entry[scalars + 2] > 0.5f;
    const auto fail = [&](std::string where, bool applied) {
      result.non_finite = NonFinite{request.first_micro_batch + row.batch, std::move(where), applied};
    };
    if (!alive || !std::isfinite(norm) || !std::isfinite(entry[0])) {
      pending_ = row.pending;
      optimizer_.set_step(row.step);
      if (alive) {
        // A device whose arithmetic knows no NaN did not see it: the parameters cannot be trusted.
        fail(std::isfinite(entry[0]) ? "gradient" : config_.scalars[0], true);
      } else {
        device_->Revive();
        fail(NameNonFiniteOnDevice(request, row, options), false);
      }
      return false;
    }
    if (row.stepped && request.measure_updates && !std::isfinite(update)) {
      fail("update", true);
      return false;
    }
    for (size_t s = 0; s < scalars; ++s) result.scalars[s].push_back(entry[s]);
    result.gradient_norms.push_back(row.stepped ? norm : kNaN);
    if (request.measure_updates) result.update_norms.push_back(row.stepped ? update : kNaN);
    ++result.completed;
  }
  rows.clear();
  return true;
}

// Runs a micro-batch once more, which changed nothing, and looks.
std::string TrainingSession::NameNonFiniteOnDevice(const TrainRequest& request, const DeviceRow& row,
                                                   Ort::RunOptions& options) {
  Assemble(request, train_inputs_, row.batch, row.first_row);
  try {
    RunOnDevice(train_graph_, train_inputs_, request, row.batch, false, DeviceTrainOutputs(), options);
    if (!AllFinite(device_->ReadScalar(0))) return config_.scalars[0];
    for (size_t p = 0; p < config_.parameters.size(); ++p) {
      if (!config_.parameters[p].trainable || AllFinite(device_->ReadGradient(p))) continue;
      return "gradient of " + config_.parameters[p].name;
    }
    for (size_t s = 0; s < config_.states.size(); ++s) {
      if (!AllFinite(device_->ReadNextState(s))) return "next value of " + config_.states[s].name;
    }
  } catch (const Ort::Exception& error) {
    ThrowRuntimeError(error, "Looking for what was not finite");
  }
  // Each value is finite, the sum of their squares is not.
  return "gradient";
}

StepResult TrainingSession::StepOnDevice(double learning_rate) {
  StepResult result;
  const double scale = config_.sum_gradients ? 1.0 : 1.0 / pending_;
  std::vector<float> log;
  try {
    const Ort::RunOptions options;
    device_->Step(true, optimizer_.Numbers(learning_rate, scale), 0, options);
    log = device_->ReadLog();
  } catch (const Ort::Exception& error) {
    ThrowRuntimeError(error, "The optimizer's step");
  }
  const float* entry = log.data() + config_.scalars.size();
  result.gradient_norm = entry[0];
  if (!(entry[2] > 0.5f)) {
    device_->Revive();
    result.non_finite = "gradient";
    return result;
  }
  optimizer_.set_step(step() + 1);
  result.update_norm = entry[1];
  if (!std::isfinite(result.update_norm)) {
    result.non_finite = "update";
    result.applied = true;
  }
  return result;
}

}  // namespace node_vae
