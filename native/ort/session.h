#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "ort/api.h"
#include "ort/device_memory.h"
#include "ort/providers.h"
#include "ort/types.h"

namespace node_vae {

struct SessionConfig {
  int intra_op_threads = 0;  // 0: ONNX Runtime's choice
  bool spin = true;
  int optimization_level = 99;
  std::vector<ProviderChoice> providers;
  std::string profile_prefix;
  std::string optimized_model_path;
  // Threads stop spinning when a run ends, leaving the processor to whoever comes next.
  bool stop_spinning_after_run = false;
  // Operators beside ONNX Runtime's own; lives as long as the process.
  OrtCustomOpDomain* custom_ops = nullptr;
};

// A path, or the bytes of a model (borrowed for the call).
struct ModelBytes {
  const void* data;
  size_t size;
};
using ModelSource = std::variant<std::string, ModelBytes>;
// Of the file, without external data, or of the bytes; 0 when there is no such file.
int64_t ModelSize(const ModelSource& model);

// An ONNX Runtime session with its inputs and outputs described.
class Session {
 public:
  Session(const ModelSource& model, const SessionConfig& config);

  Ort::Session& ort() noexcept { return session_; }
  const std::vector<ValueInfo>& inputs() const noexcept { return inputs_; }
  const std::vector<ValueInfo>& outputs() const noexcept { return outputs_; }
  // Index, or -1.
  int FindInput(const std::string& name) const noexcept;
  int FindOutput(const std::string& name) const noexcept;
  const DeviceMemory& device() const noexcept { return device_; }

  // Throws Error(ERR_VAE_RUNTIME) when the session was made without profile_prefix.
  std::string EndProfiling();

 private:
  Ort::Session session_{nullptr};
  std::vector<ValueInfo> inputs_;
  std::vector<ValueInfo> outputs_;
  DeviceMemory device_;
  bool profiling_ = false;
};

// Throws the Error that stands for a failed ONNX Runtime call; `doing` begins the message.
[[noreturn]] void ThrowRuntimeError(const Ort::Exception& error, const std::string& doing);

}  // namespace node_vae
