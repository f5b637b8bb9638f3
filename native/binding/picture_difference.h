#pragma once

#include "binding/napi.h"

namespace node_vae {

// pictureDifference(a, b, size, channel): Promise<Float64Array>; src/binding/addon.ts describes it.
Napi::Value PictureDifference(const Napi::CallbackInfo& info);

}  // namespace node_vae
