#pragma once

#include <memory>

#include "binding/napi.h"
#include "binding/native_handle.h"
#include "coder/photo/photo_model.h"

namespace node_vae {

// The codec of tiles of photographs over native/coder/photo; src/binding/coder-types.ts describes it.
class PhotoCodecWrap : public Napi::ObjectWrap<PhotoCodecWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createPhotoCodec(spec): Promise
  static Napi::Value Create(const Napi::CallbackInfo& info);
  // collectPhotoSamples(samples, shape, priors, every, seed): Promise
  static Napi::Value Collect(const Napi::CallbackInfo& info);

  explicit PhotoCodecWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  class LoadJob;
  class EncodeJob;
  class DecodeJob;

  Napi::Value Encode(const Napi::CallbackInfo& info);
  Napi::Value Decode(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  NativeHandle<coder::PhotoModel> handle_{"codec"};
};

// What whoever trains models of photographs has to share with the coder.
Napi::Object PhotoConstants(Napi::Env env);

}  // namespace node_vae
