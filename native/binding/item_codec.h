#pragma once

#include <memory>

#include "binding/napi.h"
#include "binding/native_handle.h"
#include "coder/item_model.h"

namespace node_vae {

// The codec of items over native/coder; src/binding/coder.ts describes it.
class ItemCodecWrap : public Napi::ObjectWrap<ItemCodecWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createItemCodec(spec): Promise
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit ItemCodecWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  class LoadJob;
  class EncodeJob;
  class DecodeJob;

  Napi::Value ItemSize(const Napi::CallbackInfo& info);
  Napi::Value Encode(const Napi::CallbackInfo& info);
  Napi::Value Decode(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  NativeHandle<coder::ItemModel> handle_{"codec"};
};

}  // namespace node_vae
