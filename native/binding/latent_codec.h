#pragma once

#include <memory>

#include "binding/napi.h"
#include "binding/native_handle.h"
#include "coder/latent_codec.h"

namespace node_vae {

// The codec of pictures' latents over native/coder; src/binding/coder.ts describes it.
class LatentCodecWrap : public Napi::ObjectWrap<LatentCodecWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createLatentCodec(spec): Promise
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit LatentCodecWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  class LoadJob;
  class EncodeJob;
  class DecodeJob;

  Napi::Value Encode(const Napi::CallbackInfo& info);
  Napi::Value Decode(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  NativeHandle<coder::LatentCodec> handle_{"codec"};
};

// Numbers that whoever makes models for the coder has to share with it.
Napi::Object CoderConstants(Napi::Env env);

}  // namespace node_vae
