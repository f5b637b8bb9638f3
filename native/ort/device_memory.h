#pragma once

#include <string>
#include <vector>

#include "ort/api.h"
#include "ort/providers.h"

namespace node_vae {

// Where a session's execution provider keeps tensors.
struct DeviceMemory {
  // What `info` points to, where it is not a plugin's own.
  Ort::MemoryInfo owned{nullptr};
  const OrtMemoryInfo* info = nullptr;
  // The provider's name, or "cpu" where it shares the processor's memory.
  std::string name;
};

// That of the first of these providers, with its option device_id.
DeviceMemory DeviceMemoryOf(const std::vector<ProviderChoice>& providers);

}  // namespace node_vae
