#pragma once

#include <string>
#include <vector>

#include "ort/api.h"
#include "ort/providers.h"

namespace node_vae {

// Where a session's execution provider keeps tensors.
struct DeviceMemory {
  Ort::MemoryInfo info;
  // "cuda", or "cpu" where the provider shares the processor's memory.
  std::string name;
};

// That of the first of these providers, with its option device_id.
DeviceMemory DeviceMemoryOf(const std::vector<ProviderChoice>& providers);

}  // namespace node_vae
