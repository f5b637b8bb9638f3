#pragma once

#include <vector>

#include "binding/napi.h"
#include "inference/row_network.h"

namespace node_vae {

// A RowNetworkSpec of src/binding/addon.ts; borrows its arrays.
struct RowNetworkSpec {
  size_t inputs = 0;
  std::vector<RowLayerSpec> layers;
};

// Throws Error ERR_VAE_OPTION.
RowNetworkSpec ToRowNetworkSpec(napi_env env, napi_value value);

}  // namespace node_vae
