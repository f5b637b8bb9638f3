#pragma once

#include "binding/napi.h"

namespace node_vae {

// lockFile(descriptor): 'held' | 'taken' | 'unsupported'; src/binding/addon.ts describes it.
Napi::Value LockFile(const Napi::CallbackInfo& info);

}  // namespace node_vae
