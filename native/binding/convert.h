#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "binding/napi.h"
#include "ort/session.h"
#include "ort/types.h"

namespace node_vae {

// Memory of a JavaScript typed array; valid while the array is referenced.
struct ArrayView {
  void* data = nullptr;
  size_t count = 0;
  size_t bytes = 0;
  napi_typedarray_type type = napi_int8_array;
};

// Throws Error(ERR_VAE_OPTION) when the value is not a typed array. `what` begins the message.
ArrayView ViewArray(napi_env env, napi_value value, const std::string& what);
// The same, and of the kind that holds elements of this type.
ArrayView ViewArrayOf(napi_env env, napi_value value, const ElementType& type, const std::string& what);

template <typename T>
struct TypedView {
  T* data;
  size_t count;
};
TypedView<float> ViewFloat32(napi_env env, napi_value value, const std::string& what);
TypedView<double> ViewFloat64(napi_env env, napi_value value, const std::string& what);
TypedView<uint32_t> ViewUint32(napi_env env, napi_value value, const std::string& what);

// Whether a typed array of this kind holds elements of this type.
bool Holds(napi_typedarray_type array, const ElementType& type) noexcept;
napi_typedarray_type ArrayKindOf(const ElementType& type) noexcept;

// A typed array of its own memory for elements of this type; `data` receives its address.
napi_value NewArray(napi_env env, const ElementType& type, size_t count, void** data);
napi_value NewFloat32(napi_env env, size_t count, float** data);

std::vector<int64_t> ToDims(napi_env env, napi_value value, const std::string& what);
napi_value FromDims(napi_env env, const std::vector<int64_t>& dims);
std::string ToString(napi_env env, napi_value value, const std::string& what);

napi_value Get(napi_env env, napi_value object, const char* key);
// False for a missing property or one that is undefined.
bool GetOptional(napi_env env, napi_value object, const char* key, napi_value* value);
bool IsObject(napi_env env, napi_value value);

// Options of src/binding/addon.ts's SessionOptions.
SessionConfig ToSessionConfig(napi_env env, Napi::Object options);
Napi::Array FromValueInfos(Napi::Env env, const std::vector<ValueInfo>& infos);

// A string, or the bytes of a Uint8Array: what `holder` references must outlive the result.
ModelSource ToModelSource(Napi::Value value, const std::string& what);

// A whole number from 0 to `most`, by default 2^53 - 1.
size_t ToCount(napi_env env, napi_value value, const std::string& what, double most = 9007199254740991.0);

}  // namespace node_vae
