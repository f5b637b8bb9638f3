#include "binding/picture_difference.h"

#include <memory>

#include "binding/coder_values.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/kept.h"
#include "binding/state.h"
#include "core/error.h"
#include "pictures/similarity.h"

namespace node_vae {
namespace {

class DifferenceJob : public Job {
 public:
  explicit DifferenceJob(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!IsObject(env, info[2])) throw Error(code::kOption, "pictureDifference(size): expected an object.");
    const ArrayView a = ViewKind(env, info[0], napi_uint8_array, "pictureDifference(a)");
    const ArrayView b = ViewKind(env, info[1], napi_uint8_array, "pictureDifference(b)");
    pair_.width = GetCount(env, info[2], "width");
    pair_.height = GetCount(env, info[2], "height");
    pair_.channels = GetCount(env, info[2], "channels");
    channel_ = ToCount(env, info[3], "pictureDifference(channel)");
    // Divisions: a product of the three could overflow.
    const size_t pixels = pair_.channels == 0 ? 0 : a.count / pair_.channels;
    if (channel_ >= pair_.channels || pair_.width == 0 || pixels / pair_.width != pair_.height ||
        pair_.width * pair_.height * pair_.channels != a.count || a.count != b.count) {
      throw Error(code::kShape, "pictureDifference(): the pictures do not have the size that they should.");
    }
    pair_.a = static_cast<const uint8_t*>(a.data);
    pair_.b = static_cast<const uint8_t*>(b.data);
    kept_.Hold(env, info[0]);
    kept_.Hold(env, info[1]);
  }

  void Work(WorkerSlot&) override { found_ = pictures::Compare(pair_, channel_); }
  napi_value Result(napi_env env) override {
    auto out = Napi::Float64Array::New(env, 1 + pictures::kScales);
    out[0] = found_.squares;
    for (size_t i = 0; i < pictures::kScales; ++i) out[1 + i] = found_.means[i];
    return out;
  }
  void Release(napi_env env) noexcept override { kept_.Drop(env); }

 private:
  pictures::Pair pair_ = {};
  size_t channel_ = 0;
  KeptValues kept_;
  pictures::Difference found_;
};

}  // namespace

Napi::Value PictureDifference(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    return Napi::Value(env, AddonState::Of(env).codings.Submit(std::make_unique<DifferenceJob>(info)));
  });
}

}  // namespace node_vae
