#pragma once

#include "binding/napi.h"

namespace node_vae {

#ifndef _WIN32
// readFiles() of src/binding/addon.ts.
Napi::Value ReadFiles(const Napi::CallbackInfo& info);
#endif

}  // namespace node_vae
