#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ort/session.h"
#include "training/config.h"
#include "training/layout.h"

namespace node_vae {

// What a training session changes, in memory of its execution provider, and the graphs that change it there. Nothing
// comes up or goes down but what is asked for. The graphs are those of src/artifacts/device-step.ts.
class DeviceState {
 public:
  // `training` says what memory it is.
  DeviceState(const TrainingConfig& config, const ParameterLayout& layout, const Session& training);

  // What a run takes and gives, owned here.
  const OrtValue* Parameter(size_t index, bool average) const;
  const OrtValue* State(size_t index) const { return states_[index].now; }
  OrtValue* Gradient(size_t index) { return gradients_[index]; }
  OrtValue* NextState(size_t index) { return next_states_[index]; }
  OrtValue* Scalar(size_t index) { return scalars_[index]; }

  // Adds the gradient to those before; the first takes their place. Throws Ort::Exception, as the rest does.
  void Accumulate(bool first, size_t row, const Ort::RunOptions& options);
  // Applies the gradient, or what was accumulated.
  void Step(bool accumulated, const std::vector<float>& numbers, size_t row, const Ort::RunOptions& options);
  // Rows of scalars, norm, norm of the update, alive; waits for the device.
  std::vector<float> ReadLog();
  size_t log_rows() const noexcept { return log_rows_; }
  size_t log_columns() const noexcept { return config_.scalars.size() + 3; }
  // Lets steps change something again, after one that was not finite.
  void Revive();

  // Flat arrays of layout.flat_count() values; of frozen parameters the others hold zeros.
  void GetParameters(float* flat);
  void SetParameters(const float* flat);
  void GetGradients(bool accumulated, float scale, float* flat);
  void ClearGradients();
  bool Has(Slot slot) const noexcept;
  void Get(Slot slot, float* flat);
  void Set(Slot slot, const float* flat);
  void GetState(size_t index, float* values) { Download(states_[index].now, values); }
  void SetState(size_t index, const float* values) { Upload(values, states_[index].now); }

  // The values of one gradient, scalar or next state.
  std::vector<float> ReadGradient(size_t index) { return Read(gradients_[index]); }
  std::vector<float> ReadScalar(size_t index) { return Read(scalars_[index]); }
  std::vector<float> ReadNextState(size_t index) { return Read(next_states_[index]); }

 private:
  // A value, and where its next one goes: no graph writes what it reads.
  struct Pair {
    Ort::Value now{nullptr};
    Ort::Value next{nullptr};
    void Swap() { std::swap(now, next); }
  };
  // An input or output of a graph: whose value it is.
  struct Ref {
    char letter = 0;
    size_t index = 0;
  };
  struct Graph {
    Graph(const ModelSource& model, const SessionConfig& config);
    Session session;
    std::vector<const char*> input_names, output_names;
    std::vector<Ref> inputs, outputs;
  };

  Ort::Value Make(const std::vector<int64_t>& dims);
  Pair MakePair(const std::vector<int64_t>& dims);
  void Fill(Ort::Value& value, float number);
  void Upload(const float* values, Ort::Value& value);
  void Download(const Ort::Value& value, float* values);
  std::vector<float> Read(const Ort::Value& value);
  void Copy(const OrtValue* from, OrtValue* to);
  void Run(const Graph& graph, bool accumulated, const Ort::RunOptions& options);
  Pair* FindPair(const Ref& ref);
  const OrtValue* Input(const Ref& ref, bool accumulated);
  std::vector<Pair>& Pairs(Slot slot);

  const TrainingConfig& config_;
  const ParameterLayout& layout_;
  const size_t log_rows_;
  Graph step_;
  Graph accumulate_;
  Graph copy_;
  Ort::Allocator allocator_;

  std::vector<Pair> parameters_, moment1_, moment2_, ema_, accumulator_, states_;
  std::vector<Ort::Value> gradients_, next_states_, scalars_;
  Pair alive_, log_;
  // What goes up with each step.
  float row_ = 0;
  float first_ = 0;
  std::vector<float> numbers_;
  Ort::Value row_value_{nullptr}, first_value_{nullptr}, numbers_value_{nullptr};
};

}  // namespace node_vae
