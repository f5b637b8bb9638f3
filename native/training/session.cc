#include "training/session.h"

#include <algorithm>

#include "core/error.h"
#include "ops/custom_ops.h"

namespace node_vae {
namespace {

SessionConfig ForTraining(SessionConfig config) {
  // Between runs the processors belong to our own threads.
  config.stop_spinning_after_run = true;
  config.custom_ops = CustomOps();
  return config;
}

// Whether the graphs' provider has memory of its own, in which training then stays.
bool IsOnDevice(const TrainingConfig& config) {
  return config.device.has_value() && DeviceMemoryOf(config.session.providers).name != "cpu";
}

}  // namespace

TrainingSession::TrainingSession(TrainingConfig config, const ModelSource& training_model,
                                 const std::optional<ModelSource>& eval_model)
    : config_(std::move(config)),
      layout_(config_.parameters),
      team_(config_.session.intra_op_threads),
      optimizer_(layout_, team_, config_, IsOnDevice(config_)),
      train_graph_(training_model, ForTraining(config_.session), TrainOutputs()),
      device_(IsOnDevice(config_) ? std::make_unique<DeviceState>(config_, layout_, train_graph_.session()) : nullptr),
      parameters_(device_ ? 0 : layout_.native_count()),
      gradients_(device_ ? 0 : layout_.trainable_native_count()),
      feed_memory_(config_.feeds.size()),
      rows_(config_.feeds.size()),
      scalar_outputs_(config_.scalars.size()),
      example_outputs_(config_.per_example.size()) {
  for (const StateSpec& state : config_.states) {
    const size_t count = device_ ? 0 : CountElements(state.dims);
    states_.emplace_back(count);
    next_states_.emplace_back(count);
  }
  config_.device.reset();
  train_inputs_ = MapInputs(train_graph_, "training");
  CheckTrainOutputs();
  if (eval_model) {
    SessionConfig eval = ForTraining(config_.session);
    eval.profile_prefix.clear();
    eval.optimized_model_path.clear();
    eval_graph_ = std::make_unique<BoundGraph>(*eval_model, eval, config_.per_example);
    eval_inputs_ = MapInputs(*eval_graph_, "eval");
    DescribeExamples();
  }
}

// What each output of the eval graph holds: a row for each example, or one value of the whole batch.
void TrainingSession::DescribeExamples() {
  for (const std::string& name : config_.per_example) {
    const ValueInfo& output = eval_graph_->session().outputs()[eval_graph_->session().FindOutput(name)];
    if (output.type->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
      throw Error(code::kGraph, "The eval graph's output '" + name + "' is " + output.type->name + "; expected float32.");
    }
    const bool whole = output.dims.empty() || output.dims[0] == 1;
    std::vector<int64_t> dims(output.dims.begin() + (whole ? 0 : 1), output.dims.end());
    if (std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; })) {
      throw Error(code::kGraph, "The eval graph's output '" + name + "' has shape " + FormatShape(output.dims) +
                                    "; expected one row for each example, of fixed size, or one value.");
    }
    example_dims_.push_back(std::move(dims));
    example_is_whole_.push_back(whole);
  }
}

size_t TrainingSession::ExampleCount(size_t output, size_t rows) const noexcept {
  return CountElements(example_dims_[output]) * (example_is_whole_[output] ? 1 : rows);
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

// --- Reading and writing ------------------------------------------------------------------------

void TrainingSession::GetParameters(float* flat) const {
  if (device_) return device_->GetParameters(flat);
  layout_.ToFlat(parameters_.data(), flat, false);
}

void TrainingSession::SetParameters(const float* flat) {
  if (device_) return device_->SetParameters(flat);
  layout_.ToNative(flat, parameters_.data(), false);
  // The average begins where the parameters do; a restored one is set afterwards.
  if (optimizer_.ema() != nullptr) layout_.ToNative(flat, optimizer_.ema(), true);
}

void TrainingSession::GetGradients(float* flat) const {
  if (device_) return device_->GetGradients(show_accumulator_, shown_scale_, flat);
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

namespace {

Error NoSlot(Slot slot) {
  const char* reason = slot == Slot::kEma ? "this session keeps no moving average (emaDecay)"
                                          : "the optimizer of this session has no such moment";
  return Error(code::kOption, std::string("setSlot(): ") + reason + ".");
}

}  // namespace

bool TrainingSession::HasSlot(Slot slot) const noexcept {
  return device_ ? device_->Has(slot) : SlotData(slot) != nullptr;
}

void TrainingSession::GetSlot(Slot slot, float* flat) const {
  if (device_) return device_->Get(slot, flat);
  layout_.ToFlat(SlotData(slot), flat, true);
}

void TrainingSession::SetSlot(Slot slot, const float* flat) {
  if (device_) {
    if (slot != Slot::kAccumulator && !HasSlot(slot)) throw NoSlot(slot);
    return device_->Set(slot, flat);
  }
  if (slot == Slot::kAccumulator && accumulator_.empty()) {
    accumulator_ = AlignedBuffer<float>(layout_.trainable_native_count());
  }
  float* native = SlotData(slot);
  if (native == nullptr) throw NoSlot(slot);
  layout_.ToNative(flat, native, true);
}

void TrainingSession::GetState(size_t state, float* values) const {
  if (device_) return device_->GetState(state, values);
  std::copy_n(states_[state].data(), states_[state].size(), values);
}

void TrainingSession::SetState(size_t state, const float* values) {
  if (device_) return device_->SetState(state, values);
  std::copy_n(values, states_[state].size(), states_[state].data());
}

void TrainingSession::SetOptimizer(const OptimizerSpec& spec) {
  if (device_) throw Error(code::kOption, "setOptimizer(): the optimizer of this session is a graph of its provider.");
  optimizer_.SetSpec(spec);
}

}  // namespace node_vae
