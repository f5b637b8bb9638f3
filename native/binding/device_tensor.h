#pragma once

#include <cstdint>
#include <memory>

#include "binding/napi.h"
#include "inference/device_run.h"

namespace node_vae {

// { dtype, dims, location, dispose() }: a tensor that lies where an execution provider has its memory.
class DeviceTensorWrap : public Napi::ObjectWrap<DeviceTensorWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  static napi_value Make(Napi::Env env, std::shared_ptr<const DeviceTensor> tensor);
  static bool Is(Napi::Env env, napi_value value);
  // Throws Error(ERR_VAE_DISPOSED) after dispose().
  static std::shared_ptr<const DeviceTensor> From(Napi::Env env, napi_value value);

  explicit DeviceTensorWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}
  void Finalize(Napi::Env env) override { Drop(env); }

 private:
  Napi::Value Dtype(const Napi::CallbackInfo& info);
  Napi::Value Dims(const Napi::CallbackInfo& info);
  Napi::Value Location(const Napi::CallbackInfo& info);
  Napi::Value Disposed(const Napi::CallbackInfo& info);
  void Dispose(const Napi::CallbackInfo& info) { Drop(info.Env()); }

  const DeviceTensor& tensor() const;
  void Drop(napi_env env) noexcept;

  std::shared_ptr<const DeviceTensor> tensor_;
  int64_t accounted_ = 0;
};

}  // namespace node_vae
