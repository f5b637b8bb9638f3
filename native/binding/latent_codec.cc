#include "binding/latent_codec.h"

#include <span>
#include <utility>

#include "binding/coder_values.h"
#include "binding/kept.h"
#include "core/heap.h"

namespace node_vae {

namespace {

// Where a picture's latents lie and how they are coded: { height, width, level }.
struct Place {
  size_t height;
  size_t width;
  size_t level;
};

Place ToPlace(napi_env env, napi_value value) {
  if (!IsObject(env, value)) throw Error(code::kOption, "A latent codec's place: expected an object.");
  return {GetCount(env, value, "height"), GetCount(env, value, "width"), GetCount(env, value, "level")};
}

}  // namespace

class LatentCodecWrap::LoadJob : public Job {
 public:
  // Copies every number: nothing of JavaScript is touched off its thread.
  LoadJob(napi_env env, napi_value spec) {
    spec_.channels = GetCount(env, spec, "channels");
    spec_.hyper_channels = GetCount(env, spec, "hyperChannels");
    spec_.levels = GetCount(env, spec, "levels");
    spec_.components = GetCount(env, spec, "components");
    EachElement(env, Get(env, spec, "hyper"), [&](napi_value layer) {
      coder::IntegerConvSpec conv;
      conv.kernel = GetCount(env, layer, "kernel");
      conv.doubles = GetCount(env, layer, "doubles") != 0;
      conv.dense = arrays_.Layer(env, layer);
      spec_.hyper.push_back(conv);
    });
    const ArrayView prior = ViewKind(env, Get(env, spec, "prior"), napi_int32_array, "prior");
    const auto* numbers = static_cast<const int32_t*>(prior.data);
    for (size_t i = 0; i + 2 < prior.count; i += 3) {
      spec_.prior.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
    }
  }

  void Work(WorkerSlot&) override { codec_ = std::make_shared<coder::LatentCodec>(spec_); }
  napi_value Result(napi_env env) override {
    const Napi::Object object = AddonState::Of(env).latent_codec_class.New({});
    Unwrap(object)->handle_.Open(env, std::move(codec_), arrays_.bytes());
    return object;
  }

 private:
  coder::LatentCodecSpec spec_;
  LayerArrays arrays_;
  std::shared_ptr<coder::LatentCodec> codec_;
};

Napi::Value LatentCodecWrap::Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    if (!IsObject(env, info[0])) throw Error(code::kOption, "createLatentCodec(spec): expected an object.");
    return Napi::Value(env, AddonState::Of(env).loads.Submit(std::make_unique<LoadJob>(env, info[0])));
  });
}

class LatentCodecWrap::EncodeJob : public Job {
 public:
  EncodeJob(LatentCodecWrap& wrap, napi_env env, napi_value latents, napi_value hyper, napi_value place)
      : codec_(wrap.handle_.native()), wrap_(wrap), place_(ToPlace(env, place)) {
    const TypedView<float> y = ViewFloat32(env, latents, "encode(latents)");
    const TypedView<float> z = ViewFloat32(env, hyper, "encode(hyper)");
    latents_ = {y.data, y.count};
    hyper_ = {z.data, z.count};
    kept_.Hold(env, latents);
    kept_.Hold(env, hyper);
  }

  void Work(WorkerSlot&) override {
    bytes_ = codec_->Encode(latents_, hyper_, place_.height, place_.width, place_.level);
    GiveMemoryBack();
  }
  napi_value Result(napi_env env) override {
    return CopyBytes(env, bytes_);
  }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    codec_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<coder::LatentCodec> codec_;
  LatentCodecWrap& wrap_;
  Place place_;
  std::span<float> latents_;
  std::span<const float> hyper_;
  KeptValues kept_;
  std::vector<uint8_t> bytes_;
};

class LatentCodecWrap::DecodeJob : public Job {
 public:
  DecodeJob(LatentCodecWrap& wrap, napi_env env, napi_value bytes, napi_value place)
      : codec_(wrap.handle_.native()), wrap_(wrap), place_(ToPlace(env, place)) {
    const ArrayView view = ViewKind(env, bytes, napi_uint8_array, "decode(bytes)");
    bytes_ = std::span(static_cast<const uint8_t*>(view.data), view.count);
    const size_t count = codec_->Latents(place_.height, place_.width);
    kept_.Hold(env, bytes);
    result_.Hold(env, NewFloat32(env, count, &latents_));
  }

  void Work(WorkerSlot&) override {
    codec_->Decode(bytes_, place_.height, place_.width, place_.level, latents_);
    GiveMemoryBack();
  }
  napi_value Result(napi_env env) override { return result_.Value(env); }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    result_.Drop(env);
    codec_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<coder::LatentCodec> codec_;
  LatentCodecWrap& wrap_;
  Place place_;
  std::span<const uint8_t> bytes_;
  float* latents_ = nullptr;
  KeptValues kept_;
  Kept result_;
};

Napi::Function LatentCodecWrap::Define(Napi::Env env) {
  return DefineClass(env, "LatentCodec",
                     {InstanceMethod<&LatentCodecWrap::Encode>("encode"),
                      InstanceMethod<&LatentCodecWrap::Decode>("decode"),
                      InstanceMethod<&LatentCodecWrap::Close>("close")});
}

// encode(latents, hyper, place): Promise<Uint8Array>
Napi::Value LatentCodecWrap::Encode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<EncodeJob>(*this, env, info[0], info[1], info[2]);
    return Napi::Value(env, handle_.Start(*this, AddonState::Of(env).codings, std::move(job)));
  });
}

// decode(bytes, place): Promise<Float32Array>
Napi::Value LatentCodecWrap::Decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<DecodeJob>(*this, env, info[0], info[1]);
    return Napi::Value(env, handle_.Start(*this, AddonState::Of(env).codings, std::move(job)));
  });
}

Napi::Value LatentCodecWrap::Close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] { return Napi::Value(env, handle_.Close(env)); });
}

Napi::Object CoderConstants(Napi::Env env) {
  Napi::Object constants = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) { constants.Set(name, Napi::Number::New(env, value)); };
  set("mostHyper", coder::LatentCodec::kMostHyper);
  set("meanBits", coder::LatentCodec::kMeanBits);
  set("scaleSteps", coder::SymbolTable::kScaleSteps);
  set("leastLogScale", coder::SymbolTable::kLeastLogScale);
  set("mostLogScale", coder::SymbolTable::kMostLogScale);
  set("mixtureWeightBits", coder::SymbolTable::kMixtureWeightBits);
  set("mixtureMeanBits", coder::SymbolTable::kMixtureMeanBits);
  set("mixtureScaleBits", coder::SymbolTable::kMixtureScaleBits);
  set("mostMixtureScale", coder::SymbolTable::kMostMixtureScale);
  return constants;
}

}  // namespace node_vae
