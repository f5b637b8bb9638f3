// Registers what the addon exports; src/binding/addon.ts describes it.
#include "binding/abort_flag.h"
#include "binding/device_tensor.h"
#include "binding/file_lock.h"
#include "binding/inference_session.h"
#include "binding/item_codec.h"
#include "binding/latent_codec.h"
#include "binding/photo_codec.h"
#include "binding/napi.h"
#include "binding/picture_difference.h"
#include "binding/random.h"
#include "binding/read_files.h"
#include "binding/runtime.h"
#include "binding/state.h"
#include "binding/training_session.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  PrepareRuntime();
  auto* state = new AddonState(env);  // owned by the environment
  env.SetInstanceData(state);

  const Napi::Function abort_flag = AbortFlag::Define(env);
  state->inference_session_class = Napi::Persistent(InferenceSessionWrap::Define(env));
  state->device_tensor_class = Napi::Persistent(DeviceTensorWrap::Define(env));

  exports.Set("configure", Napi::Function::New(env, Configure, "configure"));
  exports.Set("pollCompletions", Napi::Function::New(env, PollCompletions, "pollCompletions"));
  exports.Set("loadRuntime", Napi::Function::New(env, LoadRuntimeFrom, "loadRuntime"));
  exports.Set("registerProviderLibrary", Napi::Function::New(env, RegisterProviderLibrary, "registerProviderLibrary"));
  exports.Set("createInferenceSession",
              Napi::Function::New(env, InferenceSessionWrap::Create, "createInferenceSession"));
  state->training_session_class = Napi::Persistent(TrainingSessionWrap::Define(env));
  exports.Set("createTrainingSession", Napi::Function::New(env, TrainingSessionWrap::Create, "createTrainingSession"));
  state->item_codec_class = Napi::Persistent(ItemCodecWrap::Define(env));
  exports.Set("createItemCodec", Napi::Function::New(env, ItemCodecWrap::Create, "createItemCodec"));
  state->latent_codec_class = Napi::Persistent(LatentCodecWrap::Define(env));
  exports.Set("createLatentCodec", Napi::Function::New(env, LatentCodecWrap::Create, "createLatentCodec"));
  state->photo_codec_class = Napi::Persistent(PhotoCodecWrap::Define(env));
  exports.Set("createPhotoCodec", Napi::Function::New(env, PhotoCodecWrap::Create, "createPhotoCodec"));
  exports.Set("collectPhotoSamples", Napi::Function::New(env, PhotoCodecWrap::Collect, "collectPhotoSamples"));
  exports.Set("lockFile", Napi::Function::New(env, LockFile, "lockFile"));
#ifndef _WIN32
  exports.Set("readFiles", Napi::Function::New(env, ReadFiles, "readFiles"));
#endif
  exports.Set("pictureDifference", Napi::Function::New(env, PictureDifference, "pictureDifference"));
  exports.Set("coderConstants", CoderConstants(env));
  exports.Set("photoConstants", PhotoConstants(env));
  exports.Set("AbortFlag", abort_flag);
  exports.Set("random", MakeRandom(env));
  exports.Set("nativeBytes", Napi::Function::New(env, NativeBytes, "nativeBytes"));
  return exports;
}

}  // namespace
}  // namespace node_vae

// The macro defines a function that looks for Init by this name.
static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return node_vae::Init(env, exports); }
NODE_API_MODULE(node_vae, InitAddon)
