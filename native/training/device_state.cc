#include "training/device_state.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/error.h"
#include "ort/memory.h"

namespace node_vae {
namespace {

SessionConfig ForSteps(SessionConfig config) {
  config.profile_prefix.clear();
  config.optimized_model_path.clear();
  return config;
}

Ort::Value OnHost(float* values, const std::vector<int64_t>& dims) {
  return Ort::Value::CreateTensor<float>(CpuMemory(), values, CountElements(dims), dims.data(), dims.size());
}

}  // namespace

// Names are a letter and a number, and `_out` behind those of outputs; see device-step.ts.
DeviceState::Graph::Graph(const ModelSource& model, const SessionConfig& config) : session(model, config) {
  const auto parse = [](const std::string& name) {
    // Of words the first letter is enough: alive, first, hyper, log, row.
    const bool numbered = name.size() > 1 && name[1] >= '0' && name[1] <= '9';
    if (numbered) return Ref{name[0], std::strtoul(name.c_str() + 1, nullptr, 10)};
    return Ref{static_cast<char>(name[0] - 'a' + 'A'), 0};
  };
  for (const ValueInfo& info : session.inputs()) {
    input_names.push_back(info.name.c_str());
    inputs.push_back(parse(info.name));
  }
  for (const ValueInfo& info : session.outputs()) {
    output_names.push_back(info.name.c_str());
    outputs.push_back(parse(info.name));
  }
}

DeviceState::DeviceState(const TrainingConfig& config, const ParameterLayout& layout, const Session& training)
    : config_(config),
      layout_(layout),
      log_rows_(config.device->log_rows),
      step_(config.device->step, ForSteps(config.session)),
      accumulate_(config.device->accumulate, ForSteps(config.session)),
      copy_(config.device->copy, ForSteps(config.session)),
      allocator_(training.ort(), training.device().info) {
  const bool adam = config.optimizer.type != OptimizerType::kSgd;
  for (const ParameterSpec& parameter : config.parameters) {
    const auto pair = [&](bool wanted) { return wanted && parameter.trainable ? MakePair(parameter.dims) : Pair{}; };
    parameters_.push_back(parameter.trainable ? MakePair(parameter.dims) : Pair{Make(parameter.dims), Ort::Value(nullptr)});
    moment1_.push_back(pair(adam || config.optimizer.momentum != 0));
    moment2_.push_back(pair(adam));
    ema_.push_back(pair(config.ema_decay.has_value()));
    gradients_.push_back(parameter.trainable ? Make(parameter.dims) : Ort::Value(nullptr));
    accumulator_.emplace_back();
  }
  for (const StateSpec& state : config.states) {
    states_.push_back(MakePair(state.dims));
    next_states_.push_back(Make(state.dims));
  }
  for (const std::string& name : config.scalars) {
    const int at = training.FindOutput(name);
    if (at < 0) throw Error(code::kGraph, "The training graph has no output '" + name + "'.");
    const std::vector<int64_t>& dims = training.outputs()[static_cast<size_t>(at)].dims;
    scalars_.push_back(Make(std::vector<int64_t>(dims.size(), 1)));
  }
  alive_ = MakePair({1});
  Fill(alive_.now, 1);
  log_ = MakePair({static_cast<int64_t>(log_rows_), static_cast<int64_t>(log_columns())});
  row_value_ = OnHost(&row_, {1});
  first_value_ = OnHost(&first_, {1});
  const int hyper = step_.session.FindInput("hyper");
  if (hyper < 0) throw Error(code::kGraph, "The graph of the step has no input 'hyper'.");
  numbers_.resize(static_cast<size_t>(ElementCount(step_.session.inputs()[static_cast<size_t>(hyper)].dims)));
  numbers_value_ = OnHost(numbers_.data(), {static_cast<int64_t>(numbers_.size())});
}

Ort::Value DeviceState::Make(const std::vector<int64_t>& dims) {
  Ort::Value value = Ort::Value::CreateTensor<float>(allocator_, dims.data(), dims.size());
  // Memory of a device holds what was there before.
  Fill(value, 0);
  return value;
}

DeviceState::Pair DeviceState::MakePair(const std::vector<int64_t>& dims) {
  Pair pair;
  pair.now = Make(dims);
  pair.next = Make(dims);
  return pair;
}

void DeviceState::Fill(Ort::Value& value, float number) {
  const std::vector<float> values(value.GetTensorTypeAndShapeInfo().GetElementCount(), number);
  Upload(values.data(), value);
}

void DeviceState::Copy(const OrtValue* from, OrtValue* to) {
  const Ort::RunOptions options;
  Ort::ThrowOnError(Ort::GetApi().Run(copy_.session.ort(), options, copy_.input_names.data(), &from, 1,
                                      copy_.output_names.data(), 1, &to));
}

void DeviceState::Upload(const float* values, Ort::Value& value) {
  const std::vector<int64_t> dims = value.GetTensorTypeAndShapeInfo().GetShape();
  if (ElementCount(dims) == 0) return;
  const Ort::Value host = OnHost(const_cast<float*>(values), dims);
  Copy(host, value);
}

void DeviceState::Download(const Ort::Value& value, float* values) {
  const std::vector<int64_t> dims = value.GetTensorTypeAndShapeInfo().GetShape();
  if (ElementCount(dims) == 0) return;
  Ort::Value host = OnHost(values, dims);
  Copy(value, host);
}

std::vector<float> DeviceState::Read(const Ort::Value& value) {
  std::vector<float> values(value.GetTensorTypeAndShapeInfo().GetElementCount());
  Download(value, values.data());
  return values;
}

const OrtValue* DeviceState::Parameter(size_t index, bool average) const {
  return average && layout_.entries()[index].trainable ? ema_[index].now : parameters_[index].now;
}

DeviceState::Pair* DeviceState::FindPair(const Ref& ref) {
  switch (ref.letter) {
    case 'p':
      return &parameters_[ref.index];
    case 'm':
      return &moment1_[ref.index];
    case 'v':
      return &moment2_[ref.index];
    case 'e':
      return &ema_[ref.index];
    case 'a':
      return &accumulator_[ref.index];
    case 's':
      return &states_[ref.index];
    case 'A':
      return &alive_;
    case 'L':
      return &log_;
    default:
      return nullptr;
  }
}

const OrtValue* DeviceState::Input(const Ref& ref, bool accumulated) {
  switch (ref.letter) {
    case 'g':
      return accumulated ? static_cast<const OrtValue*>(accumulator_[ref.index].now) : gradients_[ref.index];
    case 'n':
      // With the last of several micro-batches its states were taken over already.
      return accumulated ? static_cast<const OrtValue*>(states_[ref.index].now) : next_states_[ref.index];
    case 'x':
      return scalars_[ref.index];
    case 'R':
      return row_value_;
    case 'F':
      return first_value_;
    case 'H':
      return numbers_value_;
    default:
      return FindPair(ref)->now;
  }
}

void DeviceState::Run(const Graph& graph, bool accumulated, const Ort::RunOptions& options) {
  std::vector<const OrtValue*> inputs;
  std::vector<OrtValue*> outputs;
  for (const Ref& ref : graph.inputs) inputs.push_back(Input(ref, accumulated));
  for (const Ref& ref : graph.outputs) outputs.push_back(FindPair(ref)->next);
  Ort::ThrowOnError(Ort::GetApi().Run(graph.session.ort(), options, graph.input_names.data(), inputs.data(),
                                      inputs.size(), graph.output_names.data(), outputs.size(), outputs.data()));
  for (const Ref& ref : graph.outputs) FindPair(ref)->Swap();
}

void DeviceState::Accumulate(bool first, size_t row, const Ort::RunOptions& options) {
  for (size_t p = 0; p < accumulator_.size(); ++p) {
    if (accumulator_[p].now == nullptr && config_.parameters[p].trainable) accumulator_[p] = MakePair(config_.parameters[p].dims);
  }
  first_ = first ? 1 : 0;
  row_ = static_cast<float>(row);
  Run(accumulate_, false, options);
}

void DeviceState::Step(bool accumulated, const std::vector<float>& numbers, size_t row, const Ort::RunOptions& options) {
  if (numbers.size() != numbers_.size()) {
    throw Error(code::kGraph, "The graph of the step takes " + std::to_string(numbers_.size()) + " numbers, this optimizer has " +
                                  std::to_string(numbers.size()) + ".");
  }
  std::copy(numbers.begin(), numbers.end(), numbers_.begin());
  row_ = static_cast<float>(row);
  Run(step_, accumulated, options);
}

std::vector<float> DeviceState::ReadLog() { return Read(log_.now); }
void DeviceState::Revive() { Fill(alive_.now, 1); }

// --- Flat arrays -------------------------------------------------------------------------------

std::vector<DeviceState::Pair>& DeviceState::Pairs(Slot slot) {
  switch (slot) {
    case Slot::kMoment1:
      return moment1_;
    case Slot::kMoment2:
      return moment2_;
    case Slot::kEma:
      return ema_;
    default:
      return accumulator_;
  }
}

bool DeviceState::Has(Slot slot) const noexcept {
  const std::vector<Pair>& pairs = const_cast<DeviceState*>(this)->Pairs(slot);
  return std::any_of(pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.now != nullptr; });
}

void DeviceState::Get(Slot slot, float* flat) {
  const std::vector<Pair>& pairs = Pairs(slot);
  for (size_t p = 0; p < pairs.size(); ++p) {
    const size_t count = layout_.entries()[p].count;
    if (pairs[p].now == nullptr) {
      std::fill_n(flat, count, 0.0f);
    } else {
      Download(pairs[p].now, flat);
    }
    flat += count;
  }
}

void DeviceState::Set(Slot slot, const float* flat) {
  std::vector<Pair>& pairs = Pairs(slot);
  for (size_t p = 0; p < pairs.size(); ++p) {
    if (slot == Slot::kAccumulator && pairs[p].now == nullptr && config_.parameters[p].trainable) {
      pairs[p] = MakePair(config_.parameters[p].dims);
    }
    if (pairs[p].now != nullptr) Upload(flat, pairs[p].now);
    flat += layout_.entries()[p].count;
  }
}

void DeviceState::GetParameters(float* flat) {
  for (size_t p = 0; p < parameters_.size(); ++p) {
    Download(parameters_[p].now, flat);
    flat += layout_.entries()[p].count;
  }
}

void DeviceState::SetParameters(const float* flat) {
  for (size_t p = 0; p < parameters_.size(); ++p) {
    Upload(flat, parameters_[p].now);
    // The average begins where the parameters do; a restored one is set afterwards.
    if (ema_[p].now != nullptr) Upload(flat, ema_[p].now);
    flat += layout_.entries()[p].count;
  }
}

void DeviceState::GetGradients(bool accumulated, float scale, float* flat) {
  for (size_t p = 0; p < gradients_.size(); ++p) {
    const size_t count = layout_.entries()[p].count;
    const Ort::Value& value = accumulated ? accumulator_[p].now : gradients_[p];
    if (value == nullptr) {
      std::fill_n(flat, count, 0.0f);
    } else {
      Download(value, flat);
    }
    for (size_t i = 0; i < count; ++i) flat[i] *= scale;
    flat += count;
  }
}

void DeviceState::ClearGradients() {
  for (Ort::Value& gradient : gradients_) {
    if (gradient != nullptr) Fill(gradient, 0);
  }
}

}  // namespace node_vae
