#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ort/api.h"

namespace node_vae {

// One device as an execution provider of a plugin library offers it.
struct PluginDevice {
  std::string provider;  // ONNX Runtime's name, such as WebGpuExecutionProvider
  std::string provider_vendor;
  std::string type;  // cpu, gpu or npu
  std::string vendor;
  uint32_t vendor_id = 0;
  uint32_t device_id = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// Registers a library of execution providers, once per process, and says what devices it offers; later calls with the
// same file say the same. Plugins are never unregistered. Throws Error(ERR_VAE_BINDING).
const std::vector<PluginDevice>& RegisterPlugin(const std::string& path);

// The device of a library that was registered; ERR_VAE_BINDING where there is none of that number.
Ort::ConstEpDevice FindPluginDevice(const std::string& path, size_t index);

}  // namespace node_vae
