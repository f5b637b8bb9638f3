#include "binding/photo_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "binding/abort_flag.h"
#include "binding/coder_values.h"
#include "binding/kept.h"
#include "coder/photo/photo_codec.h"
#include "core/heap.h"

namespace node_vae {

namespace {

coder::TileShape ToShape(napi_env env, napi_value value) {
  if (!IsObject(env, value)) throw Error(code::kOption, "A tile's shape: expected an object.");
  coder::TileShape shape;
  shape.width = GetCount(env, value, "width");
  shape.height = GetCount(env, value, "height");
  shape.channels = GetCount(env, value, "channels");
  shape.bits = static_cast<int>(std::min<size_t>(GetCount(env, value, "bits"), 255));
  coder::PhotoCodec::Samples(shape);
  return shape;
}

// Samples of one byte for up to 8 bits, else of two.
using Bytes = std::span<const uint8_t>;
using Words = std::span<const uint16_t>;

std::variant<Bytes, Words> ViewSamples(napi_env env, napi_value value, const coder::TileShape& shape) {
  const size_t expected = coder::PhotoCodec::Samples(shape);
  const bool wide = shape.bits > 8;
  const ArrayView view = ViewKind(env, value, wide ? napi_uint16_array : napi_uint8_array, "encode(samples)");
  if (view.count != expected) {
    throw Error(code::kShape, "encode(samples): expected " + std::to_string(expected) + " samples, received " +
                                  std::to_string(view.count) + ".");
  }
  if (wide) return Words(static_cast<const uint16_t*>(view.data), view.count);
  return Bytes(static_cast<const uint8_t*>(view.data), view.count);
}

}  // namespace

// --- Making a codec ----------------------------------------------------------------------------

class PhotoCodecWrap::LoadJob : public Job {
 public:
  // Copies every number: nothing of JavaScript is touched off its thread.
  LoadJob(napi_env env, napi_value spec) {
    spec_.components = GetCount(env, spec, "components");
    size_t role = 0;
    EachElement(env, Get(env, spec, "roles"), [&](napi_value from) {
      if (role >= coder::kRoles) throw Error(code::kFormat, "The codec model is damaged: it has more planes than there are.");
      coder::PhotoModelSpec::RoleSpec& into = spec_.roles[role++];
      const ArrayView prior = ViewKind(env, Get(env, from, "prior"), napi_int32_array, "prior");
      const auto* numbers = static_cast<const int32_t*>(prior.data);
      into.prior.assign(numbers, numbers + prior.count);
      EachElement(env, Get(env, from, "networks"), [&](napi_value network) {
        std::vector<coder::DenseSpec>& layers = into.networks.emplace_back();
        EachElement(env, network, [&](napi_value layer) { layers.push_back(arrays_.Layer(env, layer)); });
      });
    });
  }

  void Work(WorkerSlot&) override { model_ = std::make_shared<coder::PhotoModel>(spec_); }
  napi_value Result(napi_env env) override {
    const Napi::Object object = AddonState::Of(env).photo_codec_class.New({});
    Unwrap(object)->handle_.Open(env, std::move(model_), arrays_.bytes());
    return object;
  }

 private:
  coder::PhotoModelSpec spec_;
  LayerArrays arrays_;
  std::shared_ptr<coder::PhotoModel> model_;
};

Napi::Value PhotoCodecWrap::Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    if (!IsObject(env, info[0])) throw Error(code::kOption, "createPhotoCodec(spec): expected an object.");
    return Napi::Value(env, AddonState::Of(env).loads.Submit(std::make_unique<LoadJob>(env, info[0])));
  });
}

// --- Coding ------------------------------------------------------------------------------------

class PhotoCodecWrap::EncodeJob : public Job {
 public:
  EncodeJob(PhotoCodecWrap& wrap, napi_env env, napi_value samples, napi_value shape,
            coder::PhotoCodec::Options options, bool verify, std::shared_ptr<AbortState> abort)
      : model_(wrap.handle_.native()),
        wrap_(wrap),
        shape_(ToShape(env, shape)),
        options_(options),
        verify_(verify),
        abort_(std::move(abort)),
        samples_(ViewSamples(env, samples, shape_)) {
    kept_.Hold(env, samples);
  }

  void Work(WorkerSlot& slot) override {
    const auto stop = [&] { return slot.stop.load() || (abort_ != nullptr && abort_->aborted()); };
    std::visit([&](const auto& samples) {
      coder::PhotoCodec codec(*model_);
      bytes_ = codec.Encode(samples, shape_, options_, stop);
      if (!verify_) return;
      std::vector<std::remove_const_t<std::remove_reference_t<decltype(samples[0])>>> decoded(samples.size());
      codec.Decode(bytes_, shape_, std::span(decoded), stop);
      verified_ = std::equal(decoded.begin(), decoded.end(), samples.begin());
    }, samples_);
    GiveMemoryBack();
  }
  napi_value Result(napi_env env) override {
    if (verify_ && !verified_) {
      throw Error(code::kRuntime, "A tile did not decode to what went in: this machine's memory or processor is at fault.");
    }
    return CopyBytes(env, bytes_);
  }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    model_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<coder::PhotoModel> model_;
  PhotoCodecWrap& wrap_;
  coder::TileShape shape_;
  coder::PhotoCodec::Options options_;
  bool verify_;
  bool verified_ = false;
  std::shared_ptr<AbortState> abort_;
  std::variant<Bytes, Words> samples_;
  KeptValues kept_;
  std::vector<uint8_t> bytes_;
};

class PhotoCodecWrap::DecodeJob : public Job {
 public:
  DecodeJob(PhotoCodecWrap& wrap, napi_env env, napi_value bytes, napi_value shape, std::shared_ptr<AbortState> abort)
      : model_(wrap.handle_.native()), wrap_(wrap), shape_(ToShape(env, shape)), abort_(std::move(abort)) {
    const ArrayView view = ViewKind(env, bytes, napi_uint8_array, "decode(bytes)");
    bytes_ = std::span(static_cast<const uint8_t*>(view.data), view.count);
    count_ = coder::PhotoCodec::Samples(shape_);
    kept_.Hold(env, bytes);
    napi_value samples;
    memory_ = NewBytes(env, count_ * (shape_.bits > 8 ? 2 : 1), &samples);
    result_.Hold(env, samples);
  }

  void Work(WorkerSlot& slot) override {
    const auto stop = [&] { return slot.stop.load() || (abort_ != nullptr && abort_->aborted()); };
    coder::PhotoCodec codec(*model_);
    if (shape_.bits > 8) {
      codec.Decode(bytes_, shape_, std::span(reinterpret_cast<uint16_t*>(memory_), count_), stop);
    } else {
      codec.Decode(bytes_, shape_, std::span(memory_, count_), stop);
    }
    GiveMemoryBack();
  }
  // The bytes of the samples; src/binding makes an Uint16Array of them where they are of two each.
  napi_value Result(napi_env env) override { return result_.Value(env); }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    result_.Drop(env);
    model_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<coder::PhotoModel> model_;
  PhotoCodecWrap& wrap_;
  coder::TileShape shape_;
  std::shared_ptr<AbortState> abort_;
  std::span<const uint8_t> bytes_;
  size_t count_ = 0;
  uint8_t* memory_ = nullptr;
  KeptValues kept_;
  Kept result_;
};

// --- Training ----------------------------------------------------------------------------------

namespace {

class CollectJob : public Job {
 public:
  CollectJob(napi_env env, napi_value samples, napi_value shape, napi_value priors, uint32_t every, uint64_t seed)
      : shape_(ToShape(env, shape)), every_(std::max<uint32_t>(every, 1)), seed_(seed) {
    if (shape_.bits > 8) throw Error(code::kShape, "collectPhotoSamples(): expected 8 bits or fewer.");
    samples_ = std::get<Bytes>(ViewSamples(env, samples, shape_));
    size_t role = 0;
    EachElement(env, priors, [&](napi_value prior) {
      if (role >= coder::kRoles) throw Error(code::kOption, "collectPhotoSamples(): expected four priors.");
      const ArrayView view = ViewKind(env, prior, napi_int32_array, "priors");
      const auto* numbers = static_cast<const int32_t*>(view.data);
      priors_[role].assign(numbers, numbers + view.count);
      const size_t values = coder::PhotoFeatures::Differences(coder::Role{static_cast<int>(role)}).size() + 1;
      if (view.count != values * values) throw Error(code::kOption, "collectPhotoSamples(): a prior has another size.");
      ++role;
    });
    if (role != coder::kRoles) throw Error(code::kOption, "collectPhotoSamples(): expected four priors.");
    kept_.Hold(env, samples);
  }

  void Work(WorkerSlot&) override { coder::PhotoCodec::Collect(samples_, shape_, priors_, every_, seed_, found_); }
  // [{ rows: Int32Array, sums: Float64Array, blocks }] of the roles.
  napi_value Result(napi_env env) override {
    Napi::Array roles = Napi::Array::New(env, coder::kRoles);
    for (uint32_t role = 0; role < coder::kRoles; ++role) {
      Napi::Object entry = Napi::Object::New(env);
      const std::vector<int32_t>& rows = found_.rows[role];
      napi_value bytes;
      uint8_t* memory = NewBytes(env, rows.size() * sizeof(int32_t), &bytes);
      if (!rows.empty()) std::memcpy(memory, rows.data(), rows.size() * sizeof(int32_t));
      entry.Set("rows", Napi::Value(env, bytes));
      Napi::Array sums = Napi::Array::New(env, found_.sums[role].size());
      for (uint32_t i = 0; i < found_.sums[role].size(); ++i) {
        sums.Set(i, Napi::Number::New(env, static_cast<double>(found_.sums[role][i])));
      }
      entry.Set("sums", sums);
      entry.Set("blocks", Napi::Number::New(env, static_cast<double>(found_.blocks[role])));
      roles.Set(role, entry);
    }
    return roles;
  }
  void Release(napi_env env) noexcept override { kept_.Drop(env); }

 private:
  coder::TileShape shape_;
  uint32_t every_;
  uint64_t seed_;
  Bytes samples_;
  std::array<std::vector<int32_t>, coder::kRoles> priors_;
  KeptValues kept_;
  coder::PhotoSamples found_;
};

}  // namespace

Napi::Value PhotoCodecWrap::Collect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<CollectJob>(env, info[0], info[1], info[2],
                                            static_cast<uint32_t>(ToCount(env, info[3], "collectPhotoSamples(every)")),
                                            static_cast<uint64_t>(ToCount(env, info[4], "collectPhotoSamples(seed)")));
    return Napi::Value(env, AddonState::Of(env).codings.Submit(std::move(job)));
  });
}

Napi::Function PhotoCodecWrap::Define(Napi::Env env) {
  return DefineClass(env, "PhotoCodec",
                     {InstanceMethod<&PhotoCodecWrap::Encode>("encode"),
                      InstanceMethod<&PhotoCodecWrap::Decode>("decode"),
                      InstanceMethod<&PhotoCodecWrap::Close>("close")});
}

// encode(samples, shape, effort, verify, abort?, asAtFirst?): Promise<Uint8Array>
Napi::Value PhotoCodecWrap::Encode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    coder::PhotoCodec::Options options;
    options.effort = ToCount(env, info[2], "encode(effort)");
    options.choose = !info[5].ToBoolean().Value();
    auto job = std::make_unique<EncodeJob>(*this, env, info[0], info[1], options, info[3].ToBoolean().Value(),
                                           AbortFlag::From(env, info[4]));
    return Napi::Value(env, handle_.Start(*this, AddonState::Of(env).codings, std::move(job)));
  });
}

// decode(bytes, shape, abort?): Promise<Uint8Array>
Napi::Value PhotoCodecWrap::Decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<DecodeJob>(*this, env, info[0], info[1], AbortFlag::From(env, info[2]));
    return Napi::Value(env, handle_.Start(*this, AddonState::Of(env).codings, std::move(job)));
  });
}

Napi::Value PhotoCodecWrap::Close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] { return Napi::Value(env, handle_.Close(env)); });
}

Napi::Object PhotoConstants(Napi::Env env) {
  Napi::Array roles = Napi::Array::New(env, coder::kRoles);
  for (uint32_t role = 0; role < coder::kRoles; ++role) {
    const coder::Role which{static_cast<int>(role)};
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("features", Napi::Number::New(env, static_cast<double>(coder::PhotoFeatures::Count(which))));
    entry.Set("differences", Napi::Number::New(env, static_cast<double>(coder::PhotoFeatures::Differences(which).size())));
    roles.Set(role, entry);
  }
  Napi::Object constants = Napi::Object::New(env);
  constants.Set("roles", roles);
  constants.Set("extra", Napi::Number::New(env, static_cast<double>(coder::PhotoSamples::kExtra)));
  constants.Set("mostFeature", Napi::Number::New(env, coder::PhotoFeatures::kMostFeature));
  constants.Set("fractionBits", Napi::Number::New(env, coder::kFractionBits));
  return constants;
}

}  // namespace node_vae
