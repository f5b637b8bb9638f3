#include "ort/device_memory.h"

#include <cstdlib>

namespace node_vae {

DeviceMemory DeviceMemoryOf(const std::vector<ProviderChoice>& providers) {
  if (!providers.empty() && (providers[0].name == "cuda" || providers[0].name == "tensorrt")) {
    int device = 0;
    for (const auto& [key, value] : providers[0].options) {
      if (key == "device_id") device = std::atoi(value.c_str());
    }
    return {Ort::MemoryInfo("Cuda", OrtDeviceAllocator, device, OrtMemTypeDefault), "cuda"};
  }
  return {Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault), "cpu"};
}

}  // namespace node_vae
