#include "binding/random.h"

#include <algorithm>

#include "binding/convert.h"
#include "binding/errors.h"
#include "core/error.h"
#include "random/distributions.h"
#include "random/philox.h"

namespace node_vae {
namespace {

uint64_t ToUint64(const Napi::Value& value, const char* what) {
  if (!value.IsBigInt()) throw Error(code::kOption, std::string(what) + ": expected a bigint.");
  bool lossless = false;
  const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw Error(code::kOption, std::string(what) + ": expected 0 to 2^64-1.");
  return number;
}

uint32_t ToUint32(const Napi::Value& value, const char* what) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0) || number > 4294967295.0 || number != static_cast<double>(static_cast<uint32_t>(number))) {
    throw Error(code::kOption, std::string(what) + ": expected a whole number from 0 to 2^32-1.");
  }
  return static_cast<uint32_t>(number);
}

Draw ToDraw(const Napi::CallbackInfo& info) {
  return {ToUint64(info[1], "seed"), ToUint32(info[2], "stream"), ToUint64(info[3], "counter")};
}

Napi::Value PhiloxBlock(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    const auto counter = ViewUint32(env, info[0], "philox(counter)");
    const auto key = ViewUint32(env, info[1], "philox(key)");
    if (counter.count != 4 || key.count != 2) {
      throw Error(code::kShape, "philox(): expected a counter of 4 words and a key of 2 words.");
    }
    const PhiloxCounter block = Philox({counter.data[0], counter.data[1], counter.data[2], counter.data[3]},
                                       {key.data[0], key.data[1]});
    auto out = Napi::Uint32Array::New(env, 4);
    std::copy(block.begin(), block.end(), out.Data());
    return out;
  });
}

template <void (*Fill)(float*, size_t, const Draw&, size_t) noexcept>
void FillArray(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] {
    const auto out = ViewFloat32(info.Env(), info[0], "out");
    Fill(out.data, out.count, ToDraw(info), 0);
  });
}

Napi::Value PermutationOf(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] {
    const std::vector<uint32_t> order = Permutation(ToUint32(info[0], "count"), ToDraw(info));
    auto out = Napi::Uint32Array::New(info.Env(), order.size());
    std::copy(order.begin(), order.end(), out.Data());
    return out;
  });
}

}  // namespace

Napi::Object MakeRandom(Napi::Env env) {
  auto random = Napi::Object::New(env);
  random.Set("philox", Napi::Function::New(env, PhiloxBlock, "philox"));
  random.Set("fillUniform", Napi::Function::New(env, FillArray<FillUniform>, "fillUniform"));
  random.Set("fillNormal", Napi::Function::New(env, FillArray<FillNormal>, "fillNormal"));
  random.Set("permutation", Napi::Function::New(env, PermutationOf, "permutation"));
  return random;
}

}  // namespace node_vae
