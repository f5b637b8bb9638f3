#include "binding/runtime.h"

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/state.h"
#include "core/aligned_buffer.h"
#include "core/error.h"
#include "ort/plugins.h"
#include "ort/runtime.h"

namespace node_vae {

void Configure(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Guard(env, [&] {
    if (!info[0].IsFunction()) throw Error(code::kOption, "configure(makeError): expected a function.");
    const ArrayView request = ViewArray(env, info[1], "configure(pollRequest)");
    if (request.type != napi_int32_array || request.count != 1) {
      throw Error(code::kOption, "configure(pollRequest): expected an Int32Array of one element.");
    }
    AddonState& state = AddonState::Of(env);
    state.error_factory = Napi::Persistent(info[0].As<Napi::Function>());
    state.poll_request = Napi::Persistent(info[1].As<Napi::Object>());
    state.completions.SetPollRequest(static_cast<int32_t*>(request.data));
    int32_t threads = 0;
    Check(env, napi_get_value_int32(env, info[2], &threads));
    state.LimitThreads(threads);
  });
}

Napi::Value PollCompletions(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), AddonState::Of(info.Env()).completions.Poll(info[0].ToBoolean()));
}

Napi::Value LoadRuntimeFrom(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const RuntimeInfo& runtime = LoadRuntime(ToString(env, info[0], "loadRuntime(libraryPath)"));
    auto object = Napi::Object::New(env);
    object.Set("version", runtime.version);
    object.Set("libraryPath", runtime.library_path);
    auto providers = Napi::Array::New(env, runtime.providers.size());
    for (uint32_t i = 0; i < runtime.providers.size(); ++i) providers.Set(i, runtime.providers[i]);
    object.Set("providers", providers);
    return object;
  });
}

Napi::Value RegisterProviderLibrary(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const auto& devices = RegisterPlugin(ToString(env, info[0], "registerProviderLibrary(path)"));
    auto list = Napi::Array::New(env, devices.size());
    for (uint32_t i = 0; i < devices.size(); ++i) {
      const PluginDevice& device = devices[i];
      auto object = Napi::Object::New(env);
      object.Set("provider", device.provider);
      object.Set("providerVendor", device.provider_vendor);
      object.Set("type", device.type);
      object.Set("vendor", device.vendor);
      object.Set("vendorId", Napi::Number::New(env, device.vendor_id));
      object.Set("deviceId", Napi::Number::New(env, device.device_id));
      auto metadata = Napi::Object::New(env);
      for (const auto& [key, value] : device.metadata) metadata.Set(key, value);
      object.Set("metadata", metadata);
      list.Set(i, object);
    }
    return list;
  });
}

Napi::Value NativeBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(AllocatedBytes()));
}

}  // namespace node_vae
