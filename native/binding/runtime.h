#pragma once

#include "binding/napi.h"

namespace node_vae {

// configure(makeError, pollRequest)
void Configure(const Napi::CallbackInfo& info);
// pollCompletions(turn): boolean
Napi::Value PollCompletions(const Napi::CallbackInfo& info);
// loadRuntime(path): RuntimeInfo
// registerProviderLibrary(path): the devices that a plugin of execution providers offers.
Napi::Value RegisterProviderLibrary(const Napi::CallbackInfo& info);
Napi::Value LoadRuntimeFrom(const Napi::CallbackInfo& info);
// nativeBytes(): number
Napi::Value NativeBytes(const Napi::CallbackInfo& info);

}  // namespace node_vae
