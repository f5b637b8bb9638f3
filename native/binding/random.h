#pragma once

#include "binding/napi.h"

namespace node_vae {

// The addon's `random` object.
Napi::Object MakeRandom(Napi::Env env);

}  // namespace node_vae
