#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/kept.h"
#include "binding/napi.h"
#include "coder/dense.h"

// What the codecs' bindings read from JavaScript. JavaScript thread only.
namespace node_vae {

// A whole number from 0 to 2^53 - 1.
size_t GetCount(napi_env env, napi_value object, const char* key);

// A view of an array of this kind and no other.
ArrayView ViewKind(napi_env env, napi_value value, napi_typedarray_type kind, const std::string& what);

// A Uint8Array of its own memory.
uint8_t* NewBytes(napi_env env, size_t count, napi_value* array);
// A Uint8Array with a copy of them.
napi_value CopyBytes(napi_env env, const std::vector<uint8_t>& bytes);

template <typename Each>
void EachElement(napi_env env, napi_value list, const Each& each) {
  uint32_t count = 0;
  Check(env, napi_get_array_length(env, list, &count));
  for (uint32_t i = 0; i < count; ++i) {
    napi_value element;
    Check(env, napi_get_element(env, list, i, &element));
    each(element);
  }
}

// Copies of the arrays of layers, which the specs made from them point into.
class LayerArrays {
 public:
  // An IntegerLayer of src/binding/coder.ts.
  coder::DenseSpec Layer(napi_env env, napi_value layer);
  int64_t bytes() const noexcept { return bytes_; }

 private:
  // Moving a vector does not move its elements, so the spans into these stay.
  std::vector<std::vector<int16_t>> weights_;
  std::vector<std::vector<int32_t>> bias_;
  std::vector<std::vector<uint8_t>> shift_;
  int64_t bytes_ = 0;
};

}  // namespace node_vae
