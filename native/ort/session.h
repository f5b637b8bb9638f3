#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
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
  // Memory of a run goes back to the system when it ends, instead of being kept for the next.
  bool keep_memory = true;
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

// What is known of a model that ONNX Runtime need not open yet.
struct Deferral {
  std::string library;  // of ONNX Runtime, to be loaded then
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
};

// An ONNX Runtime session with its inputs and outputs described.
class Session {
 public:
  Session(const ModelSource& model, const SessionConfig& config);
  // Opens the model, of which it keeps a copy, when ort() or device() is first called.
  Session(ModelBytes model, SessionConfig config, Deferral deferral);

  // May throw where opening was deferred. Any thread.
  Ort::Session& ort() const {
    if (!opened_.load(std::memory_order_acquire)) OpenDeferred();
    return session_;
  }
  const std::vector<ValueInfo>& inputs() const noexcept { return inputs_; }
  const std::vector<ValueInfo>& outputs() const noexcept { return outputs_; }
  // Index, or -1.
  int FindInput(const std::string& name) const noexcept;
  int FindOutput(const std::string& name) const noexcept;
  // See SessionConfig.
  bool keeps_memory() const noexcept { return keeps_memory_; }
  const DeviceMemory& device() const {
    ort();
    return *device_;
  }

  // Throws Error(ERR_VAE_RUNTIME) when the session was made without profile_prefix.
  std::string EndProfiling();

 private:
  struct Deferred {
    SessionConfig config;
    std::string library;
    std::vector<char> bytes;
  };

  void Open(const ModelSource& model, const SessionConfig& config) const;
  void OpenDeferred() const;

  mutable Ort::Session session_{nullptr};
  std::vector<ValueInfo> inputs_;
  std::vector<ValueInfo> outputs_;
  mutable std::optional<DeviceMemory> device_;
  mutable std::atomic<bool> opened_{false};
  mutable std::mutex opening_;
  mutable std::optional<Deferred> deferred_;  // guarded by opening_
  bool profiling_ = false;
  bool keeps_memory_ = true;
};

// Throws the Error that stands for a failed ONNX Runtime call; `doing` begins the message.
[[noreturn]] void ThrowRuntimeError(const Ort::Exception& error, const std::string& doing);

}  // namespace node_vae
