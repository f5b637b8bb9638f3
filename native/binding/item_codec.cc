#include "binding/item_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "binding/abort_flag.h"
#include "binding/convert.h"
#include "coder/chunk_codec.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

// No more values than this in one chunk: 1 GiB.
constexpr size_t kMaxChunkValues = size_t{1} << 30;

// Keeps JavaScript values alive while a worker reads their memory. JavaScript thread only.
class KeptValues {
 public:
  void Hold(napi_env env, napi_value value) {
    napi_ref reference;
    Check(env, napi_create_reference(env, value, 1, &reference));
    references_.push_back(reference);
  }
  void Drop(napi_env env) noexcept {
    for (napi_ref reference : references_) napi_delete_reference(env, reference);
    references_.clear();
  }

 private:
  std::vector<napi_ref> references_;
};

size_t ToCount(napi_env env, napi_value value, const std::string& what) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0) || number > 9007199254740991.0 ||
      number != std::floor(number)) {
    throw Error(code::kOption, what + ": expected a whole number from 0.");
  }
  return static_cast<size_t>(number);
}

size_t GetCount(napi_env env, napi_value object, const char* key) {
  return ToCount(env, Get(env, object, key), std::string("createItemCodec(spec): ") + key);
}

ArrayView ViewKind(napi_env env, napi_value value, napi_typedarray_type kind, const std::string& what) {
  const ArrayView view = ViewArray(env, value, what);
  if (view.type != kind) throw Error(code::kOption, what + ": an array of another element type came.");
  return view;
}

template <typename T>
std::span<const T> Copy(std::vector<std::vector<T>>& store, const ArrayView& view) {
  const T* data = static_cast<const T*>(view.data);
  return store.emplace_back(data, data + view.count);
}

int16_t GetInt16(napi_env env, napi_value object, const char* key) {
  int32_t value = 0;
  if (napi_get_value_int32(env, Get(env, object, key), &value) != napi_ok || value < INT16_MIN || value > INT16_MAX) {
    throw Error(code::kOption, std::string("createItemCodec(spec): ") + key + ": expected a 16-bit integer.");
  }
  return static_cast<int16_t>(value);
}

uint8_t* NewBytes(napi_env env, size_t count, napi_value* array) {
  void* data = nullptr;
  napi_value buffer;
  Check(env, napi_create_arraybuffer(env, count, &data, &buffer));
  Check(env, napi_create_typedarray(env, napi_uint8_array, count, buffer, 0, array));
  return static_cast<uint8_t*>(data);
}

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
  }

  void Work(WorkerSlot&) override { model_ = std::make_shared<coder::ItemModel>(spec_); }
  napi_value Result(napi_env env) override {
    const Napi::Object object = AddonState::Of(env).item_codec_class.New({});
    Unwrap(object)->handle_.Open(env, std::move(model_), bytes_);
    return object;
  }

 private:
  std::vector<coder::DenseSpec> Layers(napi_env env, napi_value list) {
    uint32_t count = 0;
    Check(env, napi_get_array_length(env, list, &count));
    std::vector<coder::DenseSpec> layers;
    for (uint32_t i = 0; i < count; ++i) {
      napi_value layer;
      Check(env, napi_get_element(env, list, i, &layer));
      coder::DenseSpec spec;
      spec.inputs = GetCount(env, layer, "inputs");
      spec.outputs = GetCount(env, layer, "outputs");
      spec.weights = Copy(weights_, ViewKind(env, Get(env, layer, "weights"), napi_int16_array, "weights"));
      spec.bias = Copy(bias_, ViewKind(env, Get(env, layer, "bias"), napi_int32_array, "bias"));
      spec.shift = Copy(shift_, ViewKind(env, Get(env, layer, "shift"), napi_uint8_array, "shift"));
      spec.low = GetInt16(env, layer, "low");
      spec.high = GetInt16(env, layer, "high");
      bytes_ += static_cast<int64_t>(spec.weights.size_bytes() + spec.bias.size_bytes() * 3);
      layers.push_back(spec);
    }
    return layers;
  }

  coder::ItemModelSpec spec_;
  // Moving a vector does not move its elements, so the spans into these stay.
  std::vector<std::vector<int16_t>> weights_;
  std::vector<std::vector<int32_t>> bias_;
  std::vector<std::vector<uint8_t>> shift_;
  std::shared_ptr<coder::ItemModel> model_;
  int64_t bytes_ = 0;
};

Napi::Value ItemCodecWrap::Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    LoadedRuntime();  // the worker threads' slots hold run options
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
    napi_value array;
    uint8_t* data = NewBytes(env, bytes_.size(), &array);
    if (!bytes_.empty()) std::memcpy(data, bytes_.data(), bytes_.size());
    return array;
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
    Check(env, napi_create_reference(env, items, 1, &result_));
  }

  void Work(WorkerSlot& slot) override {
    coder::ChunkCodec(*model_).Decode(bytes_, count_, items_, [&] {
      return slot.stop.load() || (abort_ != nullptr && abort_->aborted());
    });
  }
  napi_value Result(napi_env env) override {
    napi_value items;
    Check(env, napi_get_reference_value(env, result_, &items));
    return items;
  }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    if (result_ != nullptr) napi_delete_reference(env, std::exchange(result_, nullptr));
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
  napi_ref result_ = nullptr;
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
    handle_.Begin(*this);
    return Napi::Value(env, AddonState::Of(env).codings.Submit(std::move(job)));
  });
}

// decode(bytes, count, abort?): Promise<Uint8Array>
Napi::Value ItemCodecWrap::Decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<DecodeJob>(*this, env, info[0], ToCount(env, info[1], "decode(count)"),
                                           AbortFlag::From(env, info[2]));
    handle_.Begin(*this);
    return Napi::Value(env, AddonState::Of(env).codings.Submit(std::move(job)));
  });
}

Napi::Value ItemCodecWrap::Close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] { return Napi::Value(env, handle_.Close(env)); });
}

}  // namespace node_vae
