#include "binding/item_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "binding/abort_flag.h"
#include "binding/coder_values.h"
#include "binding/convert.h"
#include "coder/chunk_codec.h"

namespace node_vae {
namespace {

// No more values than this in one chunk: 1 GiB.
constexpr size_t kMaxChunkValues = size_t{1} << 30;

size_t ChunkValues(const coder::ItemModel& model, size_t count) {
  if (count == 0 || count > kMaxChunkValues / model.item_size()) {
    throw Error(code::kShape, "A chunk must hold from 1 item to 1 GiB of items, not " + std::to_string(count) + " of " +
                                  std::to_string(model.item_size()) + " values.");
  }
  return count * model.item_size();
}

}  // namespace

// --- Making a codec ----------------------------------------------------------------------------

class ItemCodecWrap::LoadJob : public Job {
 public:
  // Copies every number: nothing of JavaScript is touched off its thread.
  LoadJob(napi_env env, napi_value spec) {
    spec_.height = GetCount(env, spec, "height");
    spec_.width = GetCount(env, spec, "width");
    spec_.channels = GetCount(env, spec, "channels");
    spec_.latents = GetCount(env, spec, "latents");
    spec_.latent_bits = static_cast<int>(std::min<size_t>(GetCount(env, spec, "latentBits"), 255));
    spec_.features = GetCount(env, spec, "features");
    spec_.components = GetCount(env, spec, "components");
    const ArrayView neighbours = ViewKind(env, Get(env, spec, "neighbours"), napi_int32_array, "neighbours");
    const auto* pairs = static_cast<const int32_t*>(neighbours.data);
    for (size_t i = 0; i + 1 < neighbours.count; i += 2) spec_.neighbours.push_back({pairs[i], pairs[i + 1]});
    spec_.encoder = Layers(env, Get(env, spec, "encoder"));
    spec_.decoder = Layers(env, Get(env, spec, "decoder"));
    spec_.local = Layers(env, Get(env, spec, "local"));
    EachElement(env, Get(env, spec, "levels"), [&](napi_value level) {
      const size_t latents = GetCount(env, level, "latents");
      spec_.levels.push_back({latents, Layers(env, Get(env, level, "encoder")), Layers(env, Get(env, level, "prior"))});
    });
  }

  void Work(WorkerSlot&) override { model_ = std::make_shared<coder::ItemModel>(spec_); }
  napi_value Result(napi_env env) override {
    const Napi::Object object = AddonState::Of(env).item_codec_class.New({});
    Unwrap(object)->handle_.Open(env, std::move(model_), arrays_.bytes());
    return object;
  }

 private:
  std::vector<coder::DenseSpec> Layers(napi_env env, napi_value list) {
    std::vector<coder::DenseSpec> layers;
    EachElement(env, list, [&](napi_value layer) { layers.push_back(arrays_.Layer(env, layer)); });
    return layers;
  }

  coder::ItemModelSpec spec_;
  LayerArrays arrays_;
  std::shared_ptr<coder::ItemModel> model_;
};

Napi::Value ItemCodecWrap::Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    if (!IsObject(env, info[0])) throw Error(code::kOption, "createItemCodec(spec): expected an object.");
    return Napi::Value(env, AddonState::Of(env).loads.Submit(std::make_unique<LoadJob>(env, info[0])));
  });
}

// --- Coding ------------------------------------------------------------------------------------

class ItemCodecWrap::EncodeJob : public Job {
 public:
  EncodeJob(ItemCodecWrap& wrap, napi_env env, napi_value items, size_t count, bool verify,
            std::shared_ptr<AbortState> abort)
      : model_(wrap.handle_.native()), wrap_(wrap), count_(count), verify_(verify), abort_(std::move(abort)) {
    const ArrayView view = ViewKind(env, items, napi_uint8_array, "encode(items)");
    if (view.count != ChunkValues(*model_, count)) {
      throw Error(code::kShape, "encode(items): expected " + std::to_string(count * model_->item_size()) +
                                    " bytes for " + std::to_string(count) + " items, received " +
                                    std::to_string(view.count) + ".");
    }
    items_ = static_cast<const uint8_t*>(view.data);
    kept_.Hold(env, items);
  }

  void Work(WorkerSlot& slot) override {
    const auto stop = [&] { return slot.stop.load() || (abort_ != nullptr && abort_->aborted()); };
    coder::ChunkCodec codec(*model_);
    bytes_ = codec.Encode(items_, count_, stop);
    if (!verify_) return;
    std::vector<uint8_t> decoded(count_ * model_->item_size());
    codec.Decode(bytes_, count_, decoded.data(), stop);
    verified_ = std::memcmp(decoded.data(), items_, decoded.size()) == 0;
  }
  napi_value Result(napi_env env) override {
    if (verify_ && !verified_) {
      throw Error(code::kRuntime, "A chunk did not decode to what went in: this machine's memory or processor is at fault.");
    }
    return CopyBytes(env, bytes_);
  }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    model_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<coder::ItemModel> model_;
  ItemCodecWrap& wrap_;
  size_t count_;
  bool verify_;
  bool verified_ = false;
  std::shared_ptr<AbortState> abort_;
  const uint8_t* items_ = nullptr;
  KeptValues kept_;
  std::vector<uint8_t> bytes_;
};

class ItemCodecWrap::DecodeJob : public Job {
 public:
  DecodeJob(ItemCodecWrap& wrap, napi_env env, napi_value bytes, size_t count, std::shared_ptr<AbortState> abort)
      : model_(wrap.handle_.native()), wrap_(wrap), count_(count), abort_(std::move(abort)) {
    const ArrayView view = ViewKind(env, bytes, napi_uint8_array, "decode(bytes)");
    bytes_ = std::span(static_cast<const uint8_t*>(view.data), view.count);
    items_size_ = ChunkValues(*model_, count);
    kept_.Hold(env, bytes);
    napi_value items;
    items_ = NewBytes(env, items_size_, &items);
    result_.Hold(env, items);
  }

  void Work(WorkerSlot& slot) override {
    coder::ChunkCodec(*model_).Decode(bytes_, count_, items_, [&] {
      return slot.stop.load() || (abort_ != nullptr && abort_->aborted());
    });
  }
  napi_value Result(napi_env env) override { return result_.Value(env); }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    result_.Drop(env);
    model_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<coder::ItemModel> model_;
  ItemCodecWrap& wrap_;
  size_t count_;
  std::shared_ptr<AbortState> abort_;
  std::span<const uint8_t> bytes_;
  uint8_t* items_ = nullptr;
  size_t items_size_ = 0;
  KeptValues kept_;
  Kept result_;
};

Napi::Function ItemCodecWrap::Define(Napi::Env env) {
  return DefineClass(env, "ItemCodec",
                     {InstanceAccessor<&ItemCodecWrap::ItemSize>("itemSize"),
                      InstanceMethod<&ItemCodecWrap::Encode>("encode"), InstanceMethod<&ItemCodecWrap::Decode>("decode"),
                      InstanceMethod<&ItemCodecWrap::Close>("close")});
}

Napi::Value ItemCodecWrap::ItemSize(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(handle_.native()->item_size()));
  });
}

// encode(items, count, verify, abort?): Promise<Uint8Array>
Napi::Value ItemCodecWrap::Encode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<EncodeJob>(*this, env, info[0], ToCount(env, info[1], "encode(count)"),
                                           info[2].ToBoolean().Value(), AbortFlag::From(env, info[3]));
    return Napi::Value(env, handle_.Start(*this, AddonState::Of(env).codings, std::move(job)));
  });
}

// decode(bytes, count, abort?): Promise<Uint8Array>
Napi::Value ItemCodecWrap::Decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<DecodeJob>(*this, env, info[0], ToCount(env, info[1], "decode(count)"),
                                           AbortFlag::From(env, info[2]));
    return Napi::Value(env, handle_.Start(*this, AddonState::Of(env).codings, std::move(job)));
  });
}

Napi::Value ItemCodecWrap::Close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] { return Napi::Value(env, handle_.Close(env)); });
}

}  // namespace node_vae
