#pragma once

#include <string>
#include <vector>

#include "binding/napi.h"
#include "inference/dense_network.h"
#include "ort/types.h"

namespace node_vae {

// A DenseNetworkSpec of src/binding/addon.ts; borrows its arrays.
struct DenseNetworkSpec {
  size_t inputs = 0;
  std::vector<DenseLayerSpec> layers;
  // ONNX Runtime's library, where it is to be opened late; what it would say of the model's inputs and outputs.
  std::string library;
  std::vector<ValueInfo> inputs_described;
  std::vector<ValueInfo> outputs_described;
};

// Throws Error ERR_VAE_OPTION.
DenseNetworkSpec ToDenseNetworkSpec(napi_env env, napi_value value);

}  // namespace node_vae
