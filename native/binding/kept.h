#pragma once

#include <utility>
#include <vector>

#include "binding/errors.h"
#include "binding/napi.h"

namespace node_vae {

// A strong reference to a JavaScript object; let go of by hand, on the JavaScript thread. If the
// environment goes first, Node frees it.
class Kept {
 public:
  Kept() = default;
  Kept(Kept&& other) noexcept : reference_(std::exchange(other.reference_, nullptr)) {}
  Kept& operator=(Kept&&) = delete;

  void Hold(napi_env env, napi_value object) { Check(env, napi_create_reference(env, object, 1, &reference_)); }
  napi_value Value(napi_env env) const {
    napi_value value;
    Check(env, napi_get_reference_value(env, reference_, &value));
    return value;
  }
  void Drop(napi_env env) noexcept {
    if (reference_ != nullptr) napi_delete_reference(env, std::exchange(reference_, nullptr));
  }

 private:
  napi_ref reference_ = nullptr;
};

// Several of them, that are let go of together.
class KeptValues {
 public:
  void Hold(napi_env env, napi_value object) {
    Kept kept;
    kept.Hold(env, object);
    values_.push_back(std::move(kept));
  }
  void Drop(napi_env env) noexcept {
    for (Kept& kept : values_) kept.Drop(env);
    values_.clear();
  }

 private:
  std::vector<Kept> values_;
};

}  // namespace node_vae
