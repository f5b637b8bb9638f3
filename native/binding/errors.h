#pragma once

#include <exception>

#include "binding/napi.h"

namespace node_vae {

// The JavaScript error for a native one, made by the function given to setErrorFactory().
napi_value ToJsError(napi_env env, const std::exception_ptr& error);

// Throws for a failed Node-API call: the pending JavaScript exception if there is one, an
// ERR_VAE_OPTION for an argument of the wrong type.
[[noreturn]] void ThrowNodeApiError(napi_env env, napi_status status);
inline void Check(napi_env env, napi_status status) {
  if (status != napi_ok) ThrowNodeApiError(env, status);
}

// Runs the body of a callback that returns a promise; what it throws rejects the promise.
template <typename Body>
Napi::Value GuardPromise(Napi::Env env, const Body& body) {
  std::exception_ptr error;
  try {
    return Napi::Value(env, body());
  } catch (...) {
    error = std::current_exception();
  }
  napi_deferred deferred;
  napi_value promise;
  Check(env, napi_create_promise(env, &deferred, &promise));
  Check(env, napi_reject_deferred(env, deferred, ToJsError(env, error)));
  return Napi::Value(env, promise);
}

// Runs a callback's body and turns native errors into JavaScript exceptions.
template <typename Body>
auto Guard(Napi::Env env, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, ToJsError(env, std::current_exception()));
  }
}

}  // namespace node_vae
