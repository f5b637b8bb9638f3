#pragma once

#include "binding/napi.h"
#include "inference/session.h"

namespace node_vae {

// An input of a run from { dtype, dims, data }, checked against what the model takes. Its memory is that of
// `array`, which the caller is to keep. Throws Error.
InferenceInput BorrowInput(napi_env env, const ValueInfo& info, int index, napi_value tensor, napi_value* array);

// Throws Error(ERR_VAE_SHAPE) for a tensor that the model's input does not take.
void CheckInputDims(const ValueInfo& info, const std::vector<int64_t>& dims);

// Index of the named output. Throws Error(ERR_VAE_OPTION) when there is none, ERR_VAE_SHAPE for one of strings.
int OutputIndex(const Session& session, const std::string& name);

// The named tensor of `feeds`. Throws Error(ERR_VAE_SHAPE) when it is missing.
napi_value FeedOf(napi_env env, napi_value feeds, const ValueInfo& info);

}  // namespace node_vae
