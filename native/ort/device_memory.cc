#include "ort/device_memory.h"

#include <cstdlib>
#include <utility>

#include "ort/plugins.h"

namespace node_vae {

namespace {

DeviceMemory Owned(Ort::MemoryInfo info, std::string name) {
  DeviceMemory memory;
  memory.owned = std::move(info);
  memory.info = memory.owned;
  memory.name = std::move(name);
  return memory;
}

}  // namespace

DeviceMemory DeviceMemoryOf(const std::vector<ProviderChoice>& providers) {
  if (!providers.empty() && !providers[0].library.empty()) {
    const Ort::ConstEpDevice device = FindPluginDevice(providers[0].library, providers[0].device);
    const OrtMemoryInfo* info = device.GetMemoryInfo(OrtDeviceMemoryType_DEFAULT);
    if (info != nullptr) {
      DeviceMemory memory;
      memory.info = info;
      memory.name = providers[0].name;
      return memory;
    }
  } else if (!providers.empty() && (providers[0].name == "cuda" || providers[0].name == "tensorrt")) {
    int device = 0;
    for (const auto& [key, value] : providers[0].options) {
      if (key == "device_id") device = std::atoi(value.c_str());
    }
    return Owned(Ort::MemoryInfo("Cuda", OrtDeviceAllocator, device, OrtMemTypeDefault), "cuda");
  }
  return Owned(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault), "cpu");
}

}  // namespace node_vae
