#include "ort/plugins.h"

#include <map>
#include <mutex>

#include "core/error.h"
#include "ort/library.h"
#include "ort/path.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

struct Plugin {
  std::vector<PluginDevice> described;
  std::vector<Ort::ConstEpDevice> devices;
};

std::mutex mutex;
// By real path; never freed, as the environment that holds them.
std::map<std::string, Plugin>* plugins = nullptr;

std::vector<std::pair<std::string, std::string>> Pairs(Ort::ConstKeyValuePairs pairs) {
  std::vector<std::pair<std::string, std::string>> list;
  std::vector<const char*> keys;
  std::vector<const char*> values;
  pairs.GetKeyValuePairs(keys, values);
  for (size_t i = 0; i < keys.size(); ++i) list.emplace_back(keys[i], values[i]);
  return list;
}

const char* TypeName(OrtHardwareDeviceType type) noexcept {
  switch (type) {
    case OrtHardwareDeviceType_GPU:
      return "gpu";
    case OrtHardwareDeviceType_NPU:
      return "npu";
    default:
      return "cpu";
  }
}

PluginDevice Describe(const Ort::ConstEpDevice& device) {
  PluginDevice described;
  described.provider = device.EpName();
  described.provider_vendor = device.EpVendor();
  const Ort::ConstHardwareDevice hardware = device.Device();
  described.type = TypeName(hardware.Type());
  described.vendor = hardware.Vendor();
  described.vendor_id = hardware.VendorId();
  described.device_id = hardware.DeviceId();
  described.metadata = Pairs(hardware.Metadata());
  return described;
}

const Plugin& Register(const std::string& path) {
  const std::string real = RealPath(path);
  if (plugins == nullptr) plugins = new std::map<std::string, Plugin>();
  if (const auto known = plugins->find(real); known != plugins->end()) return known->second;
  Ort::Env& env = RuntimeEnv();
  Plugin plugin;
  try {
    std::vector<const OrtEpDevice*> before;
    for (const auto& device : env.GetEpDevices()) before.push_back(device);
    env.RegisterExecutionProviderLibrary(real.c_str(), NativePath(real));
    for (const auto& device : env.GetEpDevices()) {
      const OrtEpDevice* raw = device;
      bool known = false;
      for (const OrtEpDevice* each : before) known = known || each == raw;
      if (known) continue;
      plugin.devices.push_back(device);
      plugin.described.push_back(Describe(device));
    }
  } catch (const Ort::Exception& error) {
    throw Error(code::kBinding, "The execution providers of " + path + " could not be registered with ONNX Runtime " +
                                    LoadedRuntime().version + ": " + error.what(),
                error.GetOrtErrorCode());
  }
  return plugins->emplace(real, std::move(plugin)).first->second;
}

}  // namespace

const std::vector<PluginDevice>& RegisterPlugin(const std::string& path) {
  LoadedRuntime();
  const std::lock_guard lock(mutex);
  return Register(path).described;
}

Ort::ConstEpDevice FindPluginDevice(const std::string& path, size_t index) {
  LoadedRuntime();
  const std::lock_guard lock(mutex);
  const Plugin& plugin = Register(path);
  if (index >= plugin.devices.size()) {
    throw Error(code::kBinding, "The execution providers of " + path + " offer " +
                                    std::to_string(plugin.devices.size()) + " devices; there is none of number " +
                                    std::to_string(index) + ".");
  }
  return plugin.devices[index];
}

}  // namespace node_vae
