#pragma once

#include <memory>

#include "binding/napi.h"
#include "ort/abort.h"

namespace node_vae {

class AbortFlag : public Napi::ObjectWrap<AbortFlag> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit AbortFlag(const Napi::CallbackInfo& info);

  // nullptr for undefined; throws Error(ERR_VAE_OPTION) for anything but an AbortFlag.
  static std::shared_ptr<AbortState> From(napi_env env, napi_value value);

 private:
  void Abort(const Napi::CallbackInfo& info);
  Napi::Value Aborted(const Napi::CallbackInfo& info);

  std::shared_ptr<AbortState> state_ = std::make_shared<AbortState>();
};

}  // namespace node_vae
