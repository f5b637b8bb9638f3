#include "training/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/denormals.h"
#include "core/error.h"
#include "training/kernels.h"

namespace node_vae {
namespace {

// Binarisation draws from streams of its own, out of reach of the streams that callers number.
constexpr uint32_t kBinariseStream = 0x80000000u;

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

SessionConfig ForTraining(SessionConfig config) {
  // Between runs the processors belong to our own threads.
  config.stop_spinning_after_run = true;
  return config;
}

size_t Count(const std::vector<int64_t>& dims) { return static_cast<size_t>(ElementCount(dims)); }

}  // namespace

TrainingSession::TrainingSession(TrainingConfig config, const ModelSource& training_model,
                                 const std::optional<ModelSource>& eval_model)
    : config_(std::move(config)),
      layout_(config_.parameters),
      team_(config_.session.intra_op_threads),
      optimizer_(layout_, team_, config_),
      train_graph_(training_model, ForTraining(config_.session), TrainOutputs()),
      parameters_(layout_.native_count()),
      gradients_(layout_.trainable_native_count()),
      feed_memory_(config_.feeds.size()),
      rows_(config_.feeds.size()),
      scalar_outputs_(config_.scalars.size()),
      example_outputs_(config_.per_example.size()) {
  for (const StateSpec& state : config_.states) {
    states_.emplace_back(Count(state.dims));
    next_states_.emplace_back(Count(state.dims));
  }
  train_inputs_ = MapInputs(train_graph_, "training");
  CheckTrainOutputs();
  if (eval_model) {
    SessionConfig eval = ForTraining(config_.session);
    eval.profile_prefix.clear();
    eval.optimized_model_path.clear();
    eval_graph_ = std::make_unique<BoundGraph>(*eval_model, eval, config_.per_example);
    eval_inputs_ = MapInputs(*eval_graph_, "eval");
    example_dims_ = ExampleDims();
  }
}

// Dimensions of one row of each per-example output.
std::vector<std::vector<int64_t>> TrainingSession::ExampleDims() const {
  std::vector<std::vector<int64_t>> all;
  for (const std::string& name : config_.per_example) {
    const ValueInfo& output = eval_graph_->session().outputs()[eval_graph_->session().FindOutput(name)];
    std::vector<int64_t> dims(output.dims.begin() + (output.dims.empty() ? 0 : 1), output.dims.end());
    if (output.dims.empty() || std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; })) {
      throw Error(code::kGraph, "The eval graph's output '" + name + "' has shape " + FormatShape(output.dims) +
                                    "; expected one row for each example, of fixed size.");
    }
    all.push_back(std::move(dims));
  }
  return all;
}

// Scalars, then gradients of the trainable parameters, then states.
std::vector<std::string> TrainingSession::TrainOutputs() const {
  std::vector<std::string> names = config_.scalars;
  for (const ParameterSpec& parameter : config_.parameters) {
    if (!parameter.trainable) continue;
    if (parameter.gradient.empty()) {
      throw Error(code::kOption, "Parameter '" + parameter.name + "' is trainable but names no gradient output.");
    }
    names.push_back(parameter.gradient);
  }
  for (const StateSpec& state : config_.states) names.push_back(state.output);
  return names;
}

std::vector<TrainingSession::InputSource> TrainingSession::MapInputs(BoundGraph& graph, const char* which) const {
  std::vector<InputSource> sources;
  const auto find = [](const auto& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.name == name; }) - list.begin();
  };
  for (const ValueInfo& input : graph.session().inputs()) {
    InputSource source;
    const ElementType* type = FindElementType(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
    const std::vector<int64_t>* dims = nullptr;
    if (const auto p = static_cast<size_t>(find(config_.parameters, input.name)); p < config_.parameters.size()) {
      source = {InputSource::Kind::kParameter, p};
      dims = &config_.parameters[p].dims;
    } else if (const auto s = static_cast<size_t>(find(config_.states, input.name)); s < config_.states.size()) {
      source = {InputSource::Kind::kState, s};
      dims = &config_.states[s].dims;
    } else if (const auto f = static_cast<size_t>(find(config_.feeds, input.name)); f < config_.feeds.size()) {
      source = {InputSource::Kind::kFeed, f};
      if (config_.feeds[f].type != nullptr) type = config_.feeds[f].type;
      if (config_.feeds[f].kind == FeedKind::kGiven) type = input.type;
    } else {
      throw Error(code::kGraph, std::string("The ") + which + " graph's input '" + input.name +
                                    "' is neither a parameter nor a state nor a feed of this session.");
    }
    if (input.type != type) {
      throw Error(code::kGraph, std::string("The ") + which + " graph's input '" + input.name + "' is " +
                                    input.type->name + "; expected " + type->name + ".");
    }
    if (dims != nullptr) {
      bool same = dims->size() == input.dims.size();
      for (size_t d = 0; same && d < dims->size(); ++d) same = input.dims[d] < 0 || input.dims[d] == (*dims)[d];
      if (!same) {
        throw Error(code::kGraph, std::string("The ") + which + " graph's input '" + input.name + "' has shape " +
                                      FormatShape(input.dims) + "; this session was told " + FormatShape(*dims) + ".");
      }
    }
    sources.push_back(source);
  }
  return sources;
}

void TrainingSession::CheckTrainOutputs() const {
  for (size_t i = 0; i < train_graph_.output_names().size(); ++i) {
    const ValueInfo& info = train_graph_.output_info(i);
    if (info.type->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
      throw Error(code::kGraph, "The training graph's output '" + info.name + "' is " + info.type->name +
                                    "; expected float32.");
    }
    const int64_t count = ElementCount(info.dims);
    if (i < config_.scalars.size() && count != 1) {
      throw Error(code::kGraph, "The training graph's output '" + info.name + "' has shape " + FormatShape(info.dims) +
                                    "; expected a scalar.");
    }
    const BoundGraph::Bound bound = BindTrainOutput(i);
    bool same = info.dims.size() == bound.dims.size();
    for (size_t d = 0; same && d < bound.dims.size(); ++d) same = info.dims[d] < 0 || info.dims[d] == bound.dims[d];
    if (!same) {
      throw Error(code::kGraph, "The training graph's output '" + info.name + "' has shape " + FormatShape(info.dims) +
                                    "; expected " + FormatShape(bound.dims) + ".");
    }
  }
}

int TrainingSession::FindFeed(const std::string& name) const noexcept {
  for (size_t i = 0; i < config_.feeds.size(); ++i) {
    if (config_.feeds[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

const ElementType* TrainingSession::FeedType(size_t feed) const noexcept {
  if (config_.feeds[feed].type != nullptr) return config_.feeds[feed].type;
  for (size_t i = 0; i < train_inputs_.size(); ++i) {
    if (train_inputs_[i].kind == InputSource::Kind::kFeed && train_inputs_[i].index == feed) {
      return train_graph_.session().inputs()[i].type;
    }
  }
  for (size_t i = 0; i < eval_inputs_.size(); ++i) {
    if (eval_inputs_[i].kind == InputSource::Kind::kFeed && eval_inputs_[i].index == feed) {
      return eval_graph_->session().inputs()[i].type;
    }
  }
  return nullptr;
}

int64_t TrainingSession::Bytes() const noexcept {
  size_t floats = parameters_.size() + gradients_.size() + accumulator_.size() + scalar_outputs_.size() +
                  optimizer_.float_count();
  for (const auto& state : states_) floats += 2 * state.size();
  for (const auto& buffer : example_outputs_) floats += buffer.size();
  size_t bytes = floats * sizeof(float);
  for (const auto& memory : feed_memory_) bytes += memory.size();
  return static_cast<int64_t>(bytes);
}

// --- Binding ---------------------------------------------------------------------------------

BoundGraph::Bound TrainingSession::BindInput(const InputSource& source, int64_t rows, bool use_ema,
                                             const ValueInfo& info) const {
  switch (source.kind) {
    case InputSource::Kind::kParameter: {
      const ParameterLayout::Entry& entry = layout_.entries()[source.index];
      float* base = use_ema && entry.trainable ? optimizer_.ema() : parameters_.data();
      return {base + entry.offset, config_.parameters[source.index].dims};
    }
    case InputSource::Kind::kState:
      return {states_[source.index].data(), config_.states[source.index].dims};
    case InputSource::Kind::kFeed:
      break;
  }
  const FeedSpec& feed = config_.feeds[source.index];
  std::vector<int64_t> dims;
  if (feed.kind == FeedKind::kScalar) {
    dims.assign(info.dims.size(), 1);
  } else {
    dims.push_back(rows);
    dims.insert(dims.end(), feed.dims.begin(), feed.dims.end());
  }
  return {feed_memory_[source.index].data(), dims};
}

BoundGraph::Bound TrainingSession::BindTrainOutput(size_t index) const {
  if (index < config_.scalars.size()) {
    return {scalar_outputs_.data() + index, std::vector<int64_t>(train_graph_.output_info(index).dims.size(), 1)};
  }
  index -= config_.scalars.size();
  for (size_t p = 0; p < config_.parameters.size(); ++p) {
    if (!config_.parameters[p].trainable) continue;
    if (index-- == 0) return {gradients_.data() + layout_.entries()[p].offset, config_.parameters[p].dims};
  }
  return {next_states_[index].data(), config_.states[index].dims};
}

const GivenTensor* TrainingSession::FindGiven(const BatchRequest& request, size_t feed) const noexcept {
  for (const GivenTensor& given : request.given) {
    if (given.feed == feed) return &given;
  }
  return nullptr;
}

void TrainingSession::RunGraph(BoundGraph& graph, const std::vector<InputSource>& inputs, const BatchRequest& request,
                               size_t batch, bool use_ema, const BoundGraph::Bind& output, Ort::RunOptions& options) {
  std::vector<BoundGraph::Given> given;
  // Bindings with other inputs left open are other bindings.
  int variant = use_ema ? 1 : 0;
  for (size_t i = 0; i < inputs.size() && !request.given.empty(); ++i) {
    if (inputs[i].kind != InputSource::Kind::kFeed) continue;
    if (const GivenTensor* tensor = FindGiven(request, inputs[i].index)) {
      given.push_back({i, tensor->data, tensor->dims});
      variant = variant * 31 + static_cast<int>(i) + 2;
    }
  }
  const auto input = [&](size_t index, int64_t rows) {
    return BindInput(inputs[index], rows, use_ema, graph.session().inputs()[index]);
  };
  graph.Run(request.batch_sizes[batch], variant, input, output, given, options);
}

// --- Batches ---------------------------------------------------------------------------------

void TrainingSession::AttachRows(size_t feed, const RowData& rows) {
  const FeedSpec& spec = config_.feeds[feed];
  const bool wants_int = spec.type->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  const bool is_int = rows.source == RowSource::kInt64;
  if (wants_int ? rows.source == RowSource::kFloat32 : is_int) {
    throw Error(code::kShape, "attachRows('" + spec.name + "'): this input is " + spec.type->name +
                                  (wants_int ? "; expected a BigInt64Array or a Uint8Array."
                                             : "; expected a Float32Array or a Uint8Array."));
  }
  rows_[feed] = rows;
}

void TrainingSession::CheckBatches(const BatchRequest& request, const BoundGraph& graph,
                                   const std::vector<InputSource>& inputs) const {
  const size_t batches = request.batch_sizes.size();
  uint64_t total = 0;
  for (const uint32_t size : request.batch_sizes) {
    if (size == 0) throw Error(code::kShape, "batchSizes: a micro-batch of 0 rows.");
    total += size;
  }
  if (!request.given.empty() && batches != 1) {
    throw Error(code::kShape, "given: a request with given tensors holds one micro-batch, this one holds " +
                                  std::to_string(batches) + ".");
  }
  const uint32_t last = request.indices.empty() ? 0 : *std::max_element(request.indices.begin(), request.indices.end());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputSource& source = inputs[i];
    if (source.kind != InputSource::Kind::kFeed) continue;
    const FeedSpec& feed = config_.feeds[source.index];
    if (const GivenTensor* given = FindGiven(request, source.index)) {
      const std::vector<int64_t>& dims = graph.session().inputs()[i].dims;
      bool fits = dims.size() == given->dims.size();
      for (size_t d = 0; fits && d < dims.size(); ++d) fits = dims[d] < 0 || dims[d] == given->dims[d];
      if (!fits) {
        throw Error(code::kShape, "given['" + feed.name + "']: expected shape " + FormatShape(dims) + ", received " +
                                      FormatShape(given->dims) + ".");
      }
      continue;
    }
    if (feed.kind == FeedKind::kGiven) {
      throw Error(code::kShape, "given: the input '" + feed.name + "' is missing.");
    }
    if (feed.kind == FeedKind::kScalar && request.scalars[source.index].size() != batches) {
      throw Error(code::kShape, "scalars['" + feed.name + "']: expected " + std::to_string(batches) +
                                    " values, one for each micro-batch, received " +
                                    std::to_string(request.scalars[source.index].size()) + ".");
    }
    if (feed.kind != FeedKind::kRows) continue;
    if (!rows_[source.index]) {
      throw Error(code::kData, "No rows are attached to the input '" + feed.name + "'; call attachRows() first.");
    }
    if (request.indices.size() != total) {
      throw Error(code::kShape, "indices: expected " + std::to_string(total) + ", the sum of batchSizes, received " +
                                    std::to_string(request.indices.size()) + ".");
    }
    if (total > 0 && last >= rows_[source.index]->row_count) {
      throw Error(code::kData, "indices: row " + std::to_string(last) + " of the input '" + feed.name +
                                   "' does not exist; it has " + std::to_string(rows_[source.index]->row_count) +
                                   " rows.");
    }
  }
}

void TrainingSession::CheckTrain(const TrainRequest& request) const {
  CheckBatches(request, train_graph_, train_inputs_);
  if (request.step && request.learning_rates.size() != request.batch_sizes.size()) {
    throw Error(code::kShape, "learningRates: expected " + std::to_string(request.batch_sizes.size()) +
                                  " values, one for each micro-batch, received " +
                                  std::to_string(request.learning_rates.size()) + ".");
  }
  if (request.accumulate == 0) throw Error(code::kOption, "accumulate: expected 1 or more, received 0.");
}

void TrainingSession::CheckEval(const EvalRequest& request) const {
  if (eval_graph_ == nullptr) {
    throw Error(code::kOption, "evaluate(): this session was made without an eval model.");
  }
  if (request.use_ema && optimizer_.ema() == nullptr) {
    throw Error(code::kOption, "evaluate(): this session keeps no moving average; create it with emaDecay.");
  }
  CheckBatches(request, *eval_graph_, eval_inputs_);
}

void TrainingSession::Reserve(size_t feed, int64_t rows) {
  const FeedSpec& spec = config_.feeds[feed];
  const size_t element = spec.type != nullptr ? spec.type->bytes : sizeof(float);
  const size_t bytes = element * (spec.kind == FeedKind::kScalar ? 1 : static_cast<size_t>(rows) * Count(spec.dims));
  if (feed_memory_[feed].size() >= bytes) return;
  feed_memory_[feed] = AlignedBytes(bytes);
  train_graph_.Forget();
  if (eval_graph_ != nullptr) eval_graph_->Forget();
}

void TrainingSession::Assemble(const BatchRequest& request, const std::vector<InputSource>& inputs, size_t batch,
                               size_t first_row) {
  const int64_t rows = request.batch_sizes[batch];
  const auto count = static_cast<size_t>(rows);
  const uint64_t counter = request.first_micro_batch + batch;
  const uint32_t* indices = request.indices.data() + first_row;
  for (const InputSource& source : inputs) {
    if (source.kind != InputSource::Kind::kFeed || FindGiven(request, source.index) != nullptr) continue;
    const FeedSpec& feed = config_.feeds[source.index];
    Reserve(source.index, rows);
    void* memory = feed_memory_[source.index].data();
    switch (feed.kind) {
      case FeedKind::kRows: {
        const RowData& data = *rows_[source.index];
        if (feed.type->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
          GatherInt64(team_, data, indices, count, static_cast<int64_t*>(memory));
        } else {
          const Draw draw{config_.seed, kBinariseStream + static_cast<uint32_t>(source.index), counter};
          GatherFloat(team_, data, indices, count, draw, static_cast<float*>(memory));
        }
        break;
      }
      case FeedKind::kNormal:
      case FeedKind::kUniform:
        FillInParallel(team_, feed.kind == FeedKind::kNormal, {config_.seed, feed.stream, counter},
                       count * Count(feed.dims), static_cast<float*>(memory));
        break;
      case FeedKind::kScalar:
        *static_cast<float*>(memory) = request.scalars[source.index][batch];
        break;
      case FeedKind::kGiven:
        break;
    }
  }
}

// --- Training --------------------------------------------------------------------------------

TrainResult TrainingSession::Train(const TrainRequest& request, Ort::RunOptions& options, AbortState* abort,
                                   const std::atomic<bool>& stop) {
  TrainResult result;
  const size_t batches = request.batch_sizes.size();
  result.scalars.assign(config_.scalars.size(), {});
  for (auto& values : result.scalars) values.reserve(batches);
  result.gradient_norms.reserve(batches);
  const auto output = [this](size_t index, int64_t) { return BindTrainOutput(index); };
  const auto stopping = [&] { return stop.load(std::memory_order_acquire) || (abort != nullptr && abort->aborted()); };
  const auto fail = [&](std::string where) {
    result.non_finite = NonFinite{request.first_micro_batch + result.completed, std::move(where)};
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
      fail(NameNonFinite(gradients_.data()));
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
    } else {
      AddToAccumulator();
      if (request.step && pending_ >= request.accumulate) {
        const StepResult step = StepFromAccumulator(request.learning_rates[batch], request.measure_updates);
        if (!step.non_finite.empty()) {
          fail(step.non_finite);
          break;
        }
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
  shown_scale_ = 1.0f / static_cast<float>(pending_);
}

StepResult TrainingSession::StepFromAccumulator(double learning_rate, bool measure) {
  StepResult result;
  const double scale = 1.0 / pending_;
  result.gradient_norm = optimizer_.GradientNorm(accumulator_.data(), scale);
  if (!std::isfinite(result.gradient_norm)) {
    result.non_finite = NameNonFinite(accumulator_.data());
    return result;
  }
  result.update_norm = optimizer_.Apply(parameters_.data(), accumulator_.data(), scale, result.gradient_norm,
                                        learning_rate, measure);
  pending_ = 0;
  return result;
}

StepResult TrainingSession::OptimizerStep(double learning_rate) {
  if (pending_ == 0) {
    throw Error(code::kData, "optimizerStep(): no gradient is accumulated; call accumulate() first.");
  }
  return StepFromAccumulator(learning_rate, true);
}

void TrainingSession::ResetGradient() {
  pending_ = 0;
  show_accumulator_ = false;
  shown_scale_ = 1;
  std::fill_n(gradients_.data(), gradients_.size(), 0.0f);
}

void TrainingSession::set_pending(uint32_t pending) {
  if (pending > 0 && accumulator_.empty()) accumulator_ = AlignedBuffer<float>(layout_.trainable_native_count());
  pending_ = pending;
  show_accumulator_ = pending > 0;
  shown_scale_ = pending > 0 ? 1.0f / static_cast<float>(pending) : 1.0f;
}

void TrainingSession::CommitStates() noexcept {
  for (size_t i = 0; i < states_.size(); ++i) {
    std::copy_n(next_states_[i].data(), next_states_[i].size(), states_[i].data());
  }
}

std::string TrainingSession::NameNonFinite(const float* gradients) const {
  for (size_t p = 0; p < config_.parameters.size(); ++p) {
    const ParameterLayout::Entry& entry = layout_.entries()[p];
    if (!entry.trainable) continue;
    const float* values = gradients + entry.offset;
    if (!std::all_of(values, values + entry.count, [](float value) { return std::isfinite(value); })) {
      return "gradient of " + config_.parameters[p].name;
    }
  }
  return "gradient";
}

// --- Evaluation ------------------------------------------------------------------------------

std::vector<std::vector<float>> TrainingSession::Evaluate(const EvalRequest& request, Ort::RunOptions& options,
                                                          AbortState* abort, const std::atomic<bool>& stop) {
  std::vector<std::vector<float>> results(config_.per_example.size());
  const uint32_t largest =
      request.batch_sizes.empty() ? 0 : *std::max_element(request.batch_sizes.begin(), request.batch_sizes.end());
  for (size_t i = 0; i < example_outputs_.size(); ++i) {
    const size_t needed = largest * Count(example_dims_[i]);
    if (example_outputs_[i].size() >= needed) continue;
    example_outputs_[i] = AlignedBuffer<float>(needed);
    eval_graph_->Forget();
  }
  const auto output = [this](size_t index, int64_t rows) {
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
      RunGraph(*eval_graph_, eval_inputs_, request, batch, request.use_ema, output, options);
    } catch (const Ort::Exception& error) {
      if (stopping()) throw aborted();
      ThrowRuntimeError(error, "Micro-batch " + std::to_string(batch) + " of evaluation");
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const float* values = example_outputs_[i].data();
      results[i].insert(results[i].end(), values, values + rows * Count(example_dims_[i]));
    }
  }
  return results;
}

// --- Reading and writing ------------------------------------------------------------------------

void TrainingSession::SetParameters(const float* flat) {
  layout_.ToNative(flat, parameters_.data(), false);
  // The average begins where the parameters do; a restored one is set afterwards.
  if (optimizer_.ema() != nullptr) layout_.ToNative(flat, optimizer_.ema(), true);
}

void TrainingSession::GetGradients(float* flat) const {
  layout_.ToFlat(show_accumulator_ ? accumulator_.data() : gradients_.data(), flat, true, shown_scale_);
}

float* TrainingSession::SlotData(Slot slot) const noexcept {
  switch (slot) {
    case Slot::kMoment1:
      return optimizer_.moment1();
    case Slot::kMoment2:
      return optimizer_.moment2();
    case Slot::kEma:
      return optimizer_.ema();
    case Slot::kAccumulator:
      return accumulator_.data();
  }
  return nullptr;
}

void TrainingSession::SetSlot(Slot slot, const float* flat) {
  if (slot == Slot::kAccumulator && accumulator_.empty()) {
    accumulator_ = AlignedBuffer<float>(layout_.trainable_native_count());
  }
  float* native = SlotData(slot);
  if (native == nullptr) {
    const char* reason = slot == Slot::kEma ? "this session keeps no moving average (emaDecay)"
                                            : "the optimizer of this session has no such moment";
    throw Error(code::kOption, std::string("setSlot(): ") + reason + ".");
  }
  layout_.ToNative(flat, native, true);
}

}  // namespace node_vae
