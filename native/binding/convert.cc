#include "binding/convert.h"

#include <cmath>

#include <limits>

#include "binding/errors.h"
#include "core/error.h"
#include "ops/custom_ops.h"

namespace node_vae {
namespace {

size_t BytesPerElement(napi_typedarray_type type) noexcept {
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return 1;
    case napi_int16_array:
    case napi_uint16_array:
      return 2;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      return 8;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      return 4;
    default:
      return 2;  // Float16Array, of newer Node-API versions
  }
}

const char* ArrayName(napi_typedarray_type type) noexcept {
  switch (type) {
    case napi_int8_array:
      return "Int8Array";
    case napi_uint8_array:
      return "Uint8Array";
    case napi_uint8_clamped_array:
      return "Uint8ClampedArray";
    case napi_int16_array:
      return "Int16Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_uint32_array:
      return "Uint32Array";
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_biguint64_array:
      return "BigUint64Array";
    default:
      return "Float16Array";
  }
}

template <typename T>
TypedView<T> ViewAs(napi_env env, napi_value value, napi_typedarray_type type, const std::string& what) {
  const ArrayView view = ViewArray(env, value, what);
  if (view.type != type) {
    throw Error(code::kOption, what + ": expected a " + ArrayName(type) + ", received a " + ArrayName(view.type) + ".");
  }
  return {static_cast<T*>(view.data), view.count};
}

}  // namespace

ArrayView ViewArray(napi_env env, napi_value value, const std::string& what) {
  bool is_array = false;
  Check(env, napi_is_typedarray(env, value, &is_array));
  if (!is_array) throw Error(code::kOption, what + ": expected a typed array.");
  ArrayView view;
  Check(env, napi_get_typedarray_info(env, value, &view.type, &view.count, &view.data, nullptr, nullptr));
  view.bytes = view.count * BytesPerElement(view.type);
  return view;
}

ArrayView ViewArrayOf(napi_env env, napi_value value, const ElementType& type, const std::string& what) {
  const ArrayView view = ViewArray(env, value, what);
  if (!Holds(view.type, type)) {
    throw Error(code::kShape, what + ": expected " + type.name + " data in a " + ArrayName(ArrayKindOf(type)) +
                                  ", received a " + ArrayName(view.type) + ".");
  }
  return view;
}

TypedView<float> ViewFloat32(napi_env env, napi_value value, const std::string& what) {
  return ViewAs<float>(env, value, napi_float32_array, what);
}
TypedView<double> ViewFloat64(napi_env env, napi_value value, const std::string& what) {
  return ViewAs<double>(env, value, napi_float64_array, what);
}
TypedView<uint32_t> ViewUint32(napi_env env, napi_value value, const std::string& what) {
  return ViewAs<uint32_t>(env, value, napi_uint32_array, what);
}

napi_typedarray_type ArrayKindOf(const ElementType& type) noexcept {
  switch (type.type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return napi_float32_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return napi_float64_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return napi_int8_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
      return napi_int16_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return napi_int32_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return napi_bigint64_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32:
      return napi_uint32_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64:
      return napi_biguint64_array;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return napi_uint8_array;
    default:
      return napi_uint16_array;  // uint16, float16, bfloat16
  }
}

bool Holds(napi_typedarray_type array, const ElementType& type) noexcept {
  if (type.bytes == 0) return false;
  if (array == ArrayKindOf(type)) return true;
  if (type.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8) return array == napi_uint8_clamped_array;
  // Node-API has no name for Float16Array at our version; it is the one kind beyond the known ones.
  if (type.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16) return array > napi_biguint64_array;
  return false;
}

napi_value NewArray(napi_env env, const ElementType& type, size_t count, void** data) {
  napi_value buffer;
  napi_value array;
  Check(env, napi_create_arraybuffer(env, count * type.bytes, data, &buffer));
  Check(env, napi_create_typedarray(env, ArrayKindOf(type), count, buffer, 0, &array));
  return array;
}

napi_value NewFloat32(napi_env env, size_t count, float** data) {
  void* memory = nullptr;
  napi_value array = NewArray(env, *FindElementType(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT), count, &memory);
  *data = static_cast<float*>(memory);
  return array;
}

std::vector<int64_t> ToDims(napi_env env, napi_value value, const std::string& what) {
  bool is_array = false;
  Check(env, napi_is_array(env, value, &is_array));
  if (!is_array) throw Error(code::kShape, what + ": expected an array of dimensions.");
  uint32_t length = 0;
  Check(env, napi_get_array_length(env, value, &length));
  std::vector<int64_t> dims(length);
  int64_t count = 1;
  for (uint32_t i = 0; i < length; ++i) {
    napi_value item;
    Check(env, napi_get_element(env, value, i, &item));
    double number = -1;
    if (napi_get_value_double(env, item, &number) != napi_ok || !(number >= 0) || number != static_cast<double>(static_cast<int64_t>(number)) ||
        number > static_cast<double>(std::numeric_limits<int32_t>::max())) {
      throw Error(code::kShape, what + ": dimension " + std::to_string(i) + " is not a whole number of 0 or more.");
    }
    dims[i] = static_cast<int64_t>(number);
    if (dims[i] != 0 && count > (int64_t{1} << 52) / dims[i]) {
      throw Error(code::kShape, what + ": the shape has too many elements.");
    }
    count *= dims[i];
  }
  return dims;
}

napi_value FromDims(napi_env env, const std::vector<int64_t>& dims) {
  napi_value array;
  Check(env, napi_create_array_with_length(env, dims.size(), &array));
  for (size_t i = 0; i < dims.size(); ++i) {
    napi_value number;
    Check(env, napi_create_int64(env, dims[i], &number));
    Check(env, napi_set_element(env, array, static_cast<uint32_t>(i), number));
  }
  return array;
}

std::string ToString(napi_env env, napi_value value, const std::string& what) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    throw Error(code::kOption, what + ": expected a string.");
  }
  std::string text(length, '\0');
  Check(env, napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

napi_value Get(napi_env env, napi_value object, const char* key) {
  napi_value value;
  Check(env, napi_get_named_property(env, object, key, &value));
  return value;
}

bool GetOptional(napi_env env, napi_value object, const char* key, napi_value* value) {
  *value = Get(env, object, key);
  napi_valuetype type;
  Check(env, napi_typeof(env, *value, &type));
  return type != napi_undefined;
}

bool IsObject(napi_env env, napi_value value) {
  napi_valuetype type;
  Check(env, napi_typeof(env, value, &type));
  return type == napi_object;
}

SessionConfig ToSessionConfig(napi_env env, Napi::Object options) {
  SessionConfig config;
  napi_value value;
  if (GetOptional(env, options, "intraOpThreads", &value)) {
    Check(env, napi_get_value_int32(env, value, &config.intra_op_threads));
    if (config.intra_op_threads < 0 || config.intra_op_threads > 1024) {
      throw Error(code::kOption, "intraOpThreads: expected 0 to 1024, received " +
                                     std::to_string(config.intra_op_threads) + ".");
    }
  }
  if (GetOptional(env, options, "keepMemory", &value)) {
    Check(env, napi_get_value_bool(env, value, &config.keep_memory));
  }
  if (GetOptional(env, options, "spin", &value)) Check(env, napi_get_value_bool(env, value, &config.spin));
  if (GetOptional(env, options, "optimizationLevel", &value)) {
    Check(env, napi_get_value_int32(env, value, &config.optimization_level));
    const int level = config.optimization_level;
    if (level != 0 && level != 1 && level != 2 && level != 99) {
      throw Error(code::kOption, "optimizationLevel: expected 0, 1, 2 or 99, received " + std::to_string(level) + ".");
    }
  }
  bool plain = false;
  if (GetOptional(env, options, "plainOperators", &value)) Check(env, napi_get_value_bool(env, value, &plain));
  if (plain) config.custom_ops = CustomOps();
  if (GetOptional(env, options, "profilePrefix", &value)) config.profile_prefix = ToString(env, value, "profilePrefix");
  if (GetOptional(env, options, "optimizedModelPath", &value)) {
    config.optimized_model_path = ToString(env, value, "optimizedModelPath");
  }
  if (GetOptional(env, options, "providers", &value)) {
    const auto list = Napi::Value(env, value).As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto entry = list.Get(i).As<Napi::Object>();
      ProviderChoice choice;
      choice.name = ToString(env, entry.Get("name"), "providers[].name");
      if (const Napi::Value given = entry.Get("options"); given.IsObject()) {
        const auto pairs = given.As<Napi::Object>();
        const Napi::Array keys = pairs.GetPropertyNames();
        for (uint32_t k = 0; k < keys.Length(); ++k) {
          const std::string key = ToString(env, keys.Get(k), "providers[].options");
          choice.options.emplace_back(key, ToString(env, pairs.Get(key), "providers[].options." + key));
        }
      }
      if (const Napi::Value library = entry.Get("library"); !library.IsUndefined()) {
        choice.library = ToString(env, library, "providers[].library");
        if (const Napi::Value device = entry.Get("device"); !device.IsUndefined()) {
          uint32_t index = 0;
          Check(env, napi_get_value_uint32(env, device, &index));
          choice.device = index;
        }
      }
      config.providers.push_back(std::move(choice));
    }
  }
  return config;
}

Napi::Array FromValueInfos(Napi::Env env, const std::vector<ValueInfo>& infos) {
  auto list = Napi::Array::New(env, infos.size());
  for (uint32_t i = 0; i < infos.size(); ++i) {
    const ValueInfo& info = infos[i];
    auto entry = Napi::Object::New(env);
    entry.Set("name", info.name);
    entry.Set("dtype", info.type->name);
    entry.Set("dims", Napi::Value(env, FromDims(env, info.dims)));
    auto symbols = Napi::Array::New(env, info.symbols.size());
    for (uint32_t s = 0; s < info.symbols.size(); ++s) symbols.Set(s, info.symbols[s]);
    entry.Set("symbols", symbols);
    list.Set(i, entry);
  }
  return list;
}

ModelSource ToModelSource(Napi::Value value, const std::string& what) {
  if (value.IsString()) return ToString(value.Env(), value, what);
  const ArrayView view = ViewArray(value.Env(), value, what + ": expected a path or a Uint8Array");
  if (view.type != napi_uint8_array) {
    throw Error(code::kOption, what + ": expected a path or a Uint8Array, received a " + ArrayName(view.type) + ".");
  }
  return ModelBytes{view.data, view.bytes};
}

size_t ToCount(napi_env env, napi_value value, const std::string& what, double most) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0) || number > most ||
      number != std::floor(number)) {
    throw Error(code::kOption, what + ": expected a whole number from 0.");
  }
  return static_cast<size_t>(number);
}

}  // namespace node_vae
