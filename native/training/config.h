#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ort/session.h"

namespace node_vae {

// The options of src/binding/addon.ts's TrainingSessionConfig, whose comments explain them.

struct ParameterSpec {
  std::string name;
  std::vector<int64_t> dims;
  bool trainable = true;
  std::string gradient;
  float weight_decay_scale = 1;
  float learning_rate_scale = 1;
};

struct StateSpec {
  std::string name;
  std::vector<int64_t> dims;
  std::string output;
};

enum class FeedKind { kRows, kNormal, kUniform, kScalar, kGiven };

struct FeedSpec {
  FeedKind kind = FeedKind::kGiven;
  std::string name;
  std::vector<int64_t> dims;  // of one row
  const ElementType* type = nullptr;
  uint32_t stream = 0;
};

enum class OptimizerType { kSgd, kAdam, kAdamW };

// Whose AdamW: they differ in where epsilon stands and in when the weights decay.
enum class AdamWForm { kPytorch, kOnnxRuntime };

struct OptimizerSpec {
  OptimizerType type = OptimizerType::kAdam;
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  AdamWForm form = AdamWForm::kPytorch;
  bool bias_correction = true;
};

// The graphs of src/artifacts/device-step.ts, borrowed while the session is made.
struct DeviceGraphs {
  ModelSource step;
  ModelSource accumulate;
  ModelSource copy;
  size_t log_rows = 0;
};

// What is kept for each trainable parameter.
enum class Slot { kMoment1, kMoment2, kEma, kAccumulator };

struct TrainingConfig {
  SessionConfig session;
  // Used where the first provider has memory of its own.
  std::optional<DeviceGraphs> device;
  std::vector<ParameterSpec> parameters;
  std::vector<StateSpec> states;
  std::vector<FeedSpec> feeds;
  std::vector<std::string> scalars;
  std::vector<std::string> per_example;
  OptimizerSpec optimizer;
  std::optional<double> clip_gradient_norm;
  std::optional<double> ema_decay;
  // Whether accumulated gradients are summed, rather than averaged.
  bool sum_gradients = false;
  // Whether the accumulated gradient outlives OptimizerStep().
  bool keep_gradient = false;
  uint64_t seed = 0;
};

}  // namespace node_vae
