#include "binding/dense_network.h"

#include <array>
#include <string>
#include <utility>

#include "binding/convert.h"
#include "core/error.h"

namespace node_vae {
namespace {

constexpr std::array kActivations = {
    std::pair{"none", DenseActivation::kNone},
    std::pair{"relu", DenseActivation::kRelu},
    std::pair{"sigmoid", DenseActivation::kSigmoid},
    std::pair{"tanh", DenseActivation::kTanh},
};

DenseActivation ToActivation(const std::string& name) {
  for (const auto& [known, activation] : kActivations) {
    if (name == known) return activation;
  }
  throw Error(code::kOption, "denseNetwork: unknown activation '" + name + "'.");
}

std::span<const float> ToFloats(napi_env env, napi_value value) {
  const TypedView<float> view = ViewFloat32(env, value, "denseNetwork");
  return {view.data, view.count};
}

Int8Layer ToInt8Layer(napi_env env, napi_value value) {
  Int8Layer int8;
  int8.scale = Napi::Value(env, Get(env, value, "scale")).ToNumber().FloatValue();
  int8.zero = Napi::Value(env, Get(env, value, "zero")).ToNumber().Int32Value();
  const ArrayView weights = ViewArray(env, Get(env, value, "weights"), "denseNetwork");
  int8.scales = ToFloats(env, Get(env, value, "scales"));
  napi_value optional;
  ArrayView bias;
  bias.type = napi_int32_array;
  if (GetOptional(env, value, "bias", &optional)) bias = ViewArray(env, optional, "denseNetwork");
  if (weights.type != napi_int8_array || bias.type != napi_int32_array) {
    throw Error(code::kOption, "denseNetwork: expected weights in an Int8Array and the bias in an Int32Array.");
  }
  int8.weights = {static_cast<const int8_t*>(weights.data), weights.count};
  int8.bias = {static_cast<const int32_t*>(bias.data), bias.count};
  return int8;
}

// The opposite of FromValueInfos().
std::vector<ValueInfo> ToValueInfos(napi_env env, napi_value value) {
  std::vector<ValueInfo> infos;
  const auto list = Napi::Value(env, value).As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const napi_value given = list.Get(i);
    ValueInfo info;
    info.name = ToString(env, Get(env, given, "name"), "denseNetwork");
    info.type = FindElementType(ToString(env, Get(env, given, "dtype"), "denseNetwork"));
    if (info.type == nullptr) throw Error(code::kOption, "denseNetwork: unknown type of '" + info.name + "'.");
    const auto dims = Napi::Value(env, Get(env, given, "dims")).As<Napi::Array>();
    const auto symbols = Napi::Value(env, Get(env, given, "symbols")).As<Napi::Array>();
    for (uint32_t d = 0; d < dims.Length(); ++d) {
      info.dims.push_back(dims.Get(d).ToNumber().Int64Value());
      info.symbols.push_back(symbols.Get(d).ToString().Utf8Value());
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace

DenseNetworkSpec ToDenseNetworkSpec(napi_env env, napi_value value) {
  DenseNetworkSpec spec;
  spec.inputs = Napi::Value(env, Get(env, value, "inputs")).ToNumber().Uint32Value();
  const auto layers = Napi::Value(env, Get(env, value, "layers")).As<Napi::Array>();
  for (uint32_t l = 0; l < layers.Length(); ++l) {
    const napi_value given = layers.Get(l);
    DenseLayerSpec layer;
    layer.from = Napi::Value(env, Get(env, given, "from")).ToNumber().Uint32Value();
    layer.inputs = Napi::Value(env, Get(env, given, "inputs")).ToNumber().Uint32Value();
    layer.outputs = Napi::Value(env, Get(env, given, "outputs")).ToNumber().Uint32Value();
    napi_value optional;
    if (GetOptional(env, given, "weights", &optional)) layer.weights = ToFloats(env, optional);
    if (GetOptional(env, given, "int8", &optional)) layer.int8 = ToInt8Layer(env, optional);
    if (GetOptional(env, given, "bias", &optional)) layer.bias = ToFloats(env, optional);
    if (GetOptional(env, given, "output", &optional)) {
      layer.output = Napi::Value(env, optional).ToNumber().Int32Value();
    }
    layer.activation = ToActivation(ToString(env, Get(env, given, "activation"), "denseNetwork"));
    spec.layers.push_back(layer);
  }
  napi_value library;
  if (GetOptional(env, value, "library", &library)) {
    spec.library = ToString(env, library, "denseNetwork");
    const napi_value ends = Get(env, value, "ends");
    spec.inputs_described = ToValueInfos(env, Get(env, ends, "inputs"));
    spec.outputs_described = ToValueInfos(env, Get(env, ends, "outputs"));
  }
  return spec;
}

}  // namespace node_vae
