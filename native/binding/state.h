#pragma once

#include "binding/napi.h"
#include "binding/workers.h"

namespace node_vae {

// Everything the addon keeps for one Node environment (the main thread, or one worker).
class AddonState {
 public:
  explicit AddonState(Napi::Env env);
  ~AddonState();
  static AddonState& Of(Napi::Env env) { return *env.GetInstanceData<AddonState>(); }
  // Before any work; 0: as many as there are processors.
  void LimitThreads(int threads);

  Completions completions;
  // Model runs. More threads than this do not finish more runs: each run has threads of its own.
  Workers runs;
  // Training, one thread for each session at work.
  Workers trainings;
  // Loading and unloading models, which takes long and must not hold up runs.
  Workers loads;
  // Coding of chunks, one thread each: long and steady work.
  Workers codings;
  // Reading of files, which waits for disks and networks.
  Workers files;

  Napi::FunctionReference error_factory;
  Napi::ObjectReference poll_request;
  Napi::FunctionReference inference_session_class;
  Napi::FunctionReference device_tensor_class;
  Napi::FunctionReference training_session_class;
  Napi::FunctionReference item_codec_class;
  Napi::FunctionReference latent_codec_class;
  Napi::FunctionReference photo_codec_class;

 private:
  static void OnCleanup(void* state);
  napi_env env_;
  bool cleaned_up_ = false;
};

}  // namespace node_vae
