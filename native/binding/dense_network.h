#pragma once

#include <vector>

#include "binding/napi.h"
#include "inference/dense_network.h"

namespace node_vae {

// A DenseNetworkSpec of src/binding/addon.ts; borrows its arrays.
struct DenseNetworkSpec {
  size_t inputs = 0;
  std::vector<DenseLayerSpec> layers;
};

// Throws Error ERR_VAE_OPTION.
DenseNetworkSpec ToDenseNetworkSpec(napi_env env, napi_value value);

}  // namespace node_vae
