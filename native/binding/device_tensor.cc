#include "binding/device_tensor.h"

#include <utility>

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/state.h"
#include "core/error.h"

namespace node_vae {

Napi::Function DeviceTensorWrap::Define(Napi::Env env) {
  return DefineClass(env, "NativeDeviceTensor",
                     {InstanceAccessor<&DeviceTensorWrap::Dtype>("dtype"),
                      InstanceAccessor<&DeviceTensorWrap::Dims>("dims"),
                      InstanceAccessor<&DeviceTensorWrap::Location>("location"),
                      InstanceAccessor<&DeviceTensorWrap::Disposed>("disposed"),
                      InstanceMethod<&DeviceTensorWrap::Dispose>("dispose")});
}

napi_value DeviceTensorWrap::Make(Napi::Env env, std::shared_ptr<const DeviceTensor> tensor) {
  const Napi::Object object = AddonState::Of(env).device_tensor_class.New({});
  DeviceTensorWrap& wrap = *Unwrap(object);
  // Tells the garbage collector about memory it cannot see.
  wrap.accounted_ = tensor->bytes();
  wrap.tensor_ = std::move(tensor);
  int64_t total;
  napi_adjust_external_memory(env, wrap.accounted_, &total);
  return object;
}

bool DeviceTensorWrap::Is(Napi::Env env, napi_value value) {
  bool is = false;
  if (!IsObject(env, value)) return false;
  Check(env, napi_instanceof(env, value, AddonState::Of(env).device_tensor_class.Value(), &is));
  return is;
}

std::shared_ptr<const DeviceTensor> DeviceTensorWrap::From(Napi::Env env, napi_value value) {
  DeviceTensorWrap& wrap = *Unwrap(Napi::Object(env, value));
  wrap.tensor();
  return wrap.tensor_;
}

const DeviceTensor& DeviceTensorWrap::tensor() const {
  if (tensor_ == nullptr) throw Error(code::kDisposed, "This tensor was used after dispose().");
  return *tensor_;
}

void DeviceTensorWrap::Drop(napi_env env) noexcept {
  int64_t total;
  if (accounted_ != 0) napi_adjust_external_memory(env, -std::exchange(accounted_, 0), &total);
  tensor_.reset();
}

Napi::Value DeviceTensorWrap::Dtype(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), tensor().type->name); });
}

Napi::Value DeviceTensorWrap::Dims(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] { return Napi::Value(info.Env(), FromDims(info.Env(), tensor().dims)); });
}

Napi::Value DeviceTensorWrap::Location(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), tensor().location); });
}

Napi::Value DeviceTensorWrap::Disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), tensor_ == nullptr);
}

}  // namespace node_vae
