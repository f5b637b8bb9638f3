#include "binding/row_network.h"

#include <array>
#include <string>
#include <utility>

#include "binding/convert.h"
#include "core/error.h"

namespace node_vae {
namespace {

constexpr std::array kActivations = {
    std::pair{"none", RowActivation::kNone},
    std::pair{"relu", RowActivation::kRelu},
    std::pair{"sigmoid", RowActivation::kSigmoid},
    std::pair{"tanh", RowActivation::kTanh},
};

RowActivation ToActivation(const std::string& name) {
  for (const auto& [known, activation] : kActivations) {
    if (name == known) return activation;
  }
  throw Error(code::kOption, "rowNetwork: unknown activation '" + name + "'.");
}

std::span<const float> ToFloats(napi_env env, napi_value value) {
  const TypedView<float> view = ViewFloat32(env, value, "rowNetwork");
  return {view.data, view.count};
}

}  // namespace

RowNetworkSpec ToRowNetworkSpec(napi_env env, napi_value value) {
  RowNetworkSpec spec;
  spec.inputs = Napi::Value(env, Get(env, value, "inputs")).ToNumber().Uint32Value();
  const auto layers = Napi::Value(env, Get(env, value, "layers")).As<Napi::Array>();
  for (uint32_t l = 0; l < layers.Length(); ++l) {
    const napi_value given = layers.Get(l);
    RowLayerSpec layer;
    layer.from = Napi::Value(env, Get(env, given, "from")).ToNumber().Uint32Value();
    layer.inputs = Napi::Value(env, Get(env, given, "inputs")).ToNumber().Uint32Value();
    layer.outputs = Napi::Value(env, Get(env, given, "outputs")).ToNumber().Uint32Value();
    layer.weights = ToFloats(env, Get(env, given, "weights"));
    napi_value optional;
    if (GetOptional(env, given, "bias", &optional)) layer.bias = ToFloats(env, optional);
    if (GetOptional(env, given, "output", &optional)) {
      layer.output = Napi::Value(env, optional).ToNumber().Int32Value();
    }
    layer.activation = ToActivation(ToString(env, Get(env, given, "activation"), "rowNetwork"));
    spec.layers.push_back(layer);
  }
  return spec;
}

}  // namespace node_vae
