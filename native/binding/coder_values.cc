#include "binding/coder_values.h"

#include <cstring>

#include "core/error.h"

namespace node_vae {

namespace {

template <typename T>
std::span<const T> Copy(std::vector<std::vector<T>>& store, const ArrayView& view) {
  const T* data = static_cast<const T*>(view.data);
  return store.emplace_back(data, data + view.count);
}

int16_t GetInt16(napi_env env, napi_value object, const char* key) {
  int32_t value = 0;
  if (napi_get_value_int32(env, Get(env, object, key), &value) != napi_ok || value < INT16_MIN || value > INT16_MAX) {
    throw Error(code::kOption, std::string("A codec's layer: ") + key + ": expected a 16-bit integer.");
  }
  return static_cast<int16_t>(value);
}

}  // namespace

size_t GetCount(napi_env env, napi_value object, const char* key) {
  return ToCount(env, Get(env, object, key), std::string("A codec's ") + key);
}

ArrayView ViewKind(napi_env env, napi_value value, napi_typedarray_type kind, const std::string& what) {
  const ArrayView view = ViewArray(env, value, what);
  if (view.type != kind) throw Error(code::kOption, what + ": an array of another element type came.");
  return view;
}

uint8_t* NewBytes(napi_env env, size_t count, napi_value* array) {
  void* data = nullptr;
  napi_value buffer;
  Check(env, napi_create_arraybuffer(env, count, &data, &buffer));
  Check(env, napi_create_typedarray(env, napi_uint8_array, count, buffer, 0, array));
  return static_cast<uint8_t*>(data);
}

napi_value CopyBytes(napi_env env, const std::vector<uint8_t>& bytes) {
  napi_value array;
  uint8_t* data = NewBytes(env, bytes.size(), &array);
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  return array;
}

coder::DenseSpec LayerArrays::Layer(napi_env env, napi_value layer) {
  coder::DenseSpec spec;
  spec.inputs = GetCount(env, layer, "inputs");
  spec.outputs = GetCount(env, layer, "outputs");
  spec.weights = Copy(weights_, ViewKind(env, Get(env, layer, "weights"), napi_int16_array, "weights"));
  spec.bias = Copy(bias_, ViewKind(env, Get(env, layer, "bias"), napi_int32_array, "bias"));
  spec.shift = Copy(shift_, ViewKind(env, Get(env, layer, "shift"), napi_uint8_array, "shift"));
  spec.low = GetInt16(env, layer, "low");
  spec.high = GetInt16(env, layer, "high");
  bytes_ += static_cast<int64_t>(spec.weights.size_bytes() + spec.bias.size_bytes() * 3);
  return spec;
}

}  // namespace node_vae
