#include "binding/abort_flag.h"

#include "binding/errors.h"
#include "core/error.h"

namespace node_vae {
namespace {

// Any random number: marks objects made by this class.
constexpr napi_type_tag kTag = {0x6e6f64652d766165ull, 0x61626f7274666c67ull};

}  // namespace

Napi::Function AbortFlag::Define(Napi::Env env) {
  return DefineClass(env, "AbortFlag",
                     {InstanceMethod<&AbortFlag::Abort>("abort"), InstanceAccessor<&AbortFlag::Aborted>("aborted")});
}

AbortFlag::AbortFlag(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  Check(info.Env(), napi_type_tag_object(info.Env(), info.This(), &kTag));
}

std::shared_ptr<AbortState> AbortFlag::From(napi_env env, napi_value value) {
  napi_valuetype type;
  Check(env, napi_typeof(env, value, &type));
  if (type == napi_undefined) return nullptr;
  bool tagged = false;
  if (type == napi_object) Check(env, napi_check_object_type_tag(env, value, &kTag, &tagged));
  if (!tagged) throw Error(code::kOption, "abort: expected an AbortFlag or nothing.");
  return Unwrap(Napi::Object(env, value))->state_;
}

void AbortFlag::Abort(const Napi::CallbackInfo&) { state_->Abort(); }

Napi::Value AbortFlag::Aborted(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), state_->aborted());
}

}  // namespace node_vae
