#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ort/abort.h"
#include "ort/session.h"

// Runs whose inputs and outputs may lie in the memory of the execution provider: what one network gives, the
// next takes without a way through the processor's memory.
namespace node_vae {

// A tensor in a provider's memory. Immutable; shared by the runs that read it.
struct DeviceTensor {
  // Keeps the session whose memory it is; declared first, so that it goes last.
  std::shared_ptr<const void> owner;
  Ort::Value value{nullptr};
  const ElementType* type = nullptr;
  std::vector<int64_t> dims;
  std::string location;

  int64_t bytes() const noexcept;
};

struct DeviceInput {
  int index = 0;
  // Either a tensor of a provider, or borrowed memory of the processor.
  std::shared_ptr<const DeviceTensor> tensor;
  void* data = nullptr;
  size_t bytes = 0;
  std::vector<int64_t> dims;
};

struct DeviceOutput {
  int index = 0;
  // Leave it in the provider's memory; else it comes to the processor's.
  bool keep = false;
  // The result.
  Ort::Value value{nullptr};
};

struct DeviceRequest {
  std::vector<DeviceInput> inputs;
  std::vector<DeviceOutput> outputs;
};

// Throws Error: ERR_VAE_RUNTIME, ERR_VAE_ABORTED.
void RunOnDevice(Session& session, DeviceRequest& request, Ort::RunOptions& options, AbortState* abort);

}  // namespace node_vae
