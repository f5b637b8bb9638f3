#pragma once

#include <memory>
#include <string>
#include <vector>

#include "binding/napi.h"
#include "binding/native_handle.h"
#include "inference/session.h"

namespace node_vae {

// Three ways to run: runOnDevice() takes and leaves tensors in the provider's memory; run() takes and checks everything; runPrepared() takes only arrays, for shapes that
// an earlier run has shown (src/binding/inference-session.ts decides).
class InferenceSessionWrap : public Napi::ObjectWrap<InferenceSessionWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createInferenceSession(model, options): Promise
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit InferenceSessionWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  class LoadJob;
  class SessionJob;
  class RunJob;
  class PreparedJob;
  class DeviceJob;

  // Shapes of a run.
  struct Plan {
    struct Tensor {
      int index = 0;  // among the model's inputs or outputs
      std::vector<int64_t> dims;
      size_t count = 0;
    };
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;
    WaitTuner tuner;
    // Its outputs came out with other shapes once: not to be relied on.
    bool retired = false;
  };

  void Open(Napi::Env env, std::shared_ptr<InferenceSession> session, int64_t bytes, bool spin);
  Napi::Value Inputs(const Napi::CallbackInfo& info);
  Napi::Value Outputs(const Napi::CallbackInfo& info);
  // run(feeds, outputs, abort, checkFinite)
  Napi::Value Run(const Napi::CallbackInfo& info);
  // prepare(slot, inputDims, outputNames, outputDims)
  void Prepare(const Napi::CallbackInfo& info);
  // runPrepared(slot, [...inputs, ...outputs, results], callerOwned, abort, checkFinite): a promise of `results`, or
  // undefined when the arrays do not fit the plan
  Napi::Value RunPrepared(const Napi::CallbackInfo& info);
  // runOnDevice(feeds, [{ name, keep }], abort); in device_run.cc
  Napi::Value RunOnDevice(const Napi::CallbackInfo& info);
  Napi::Value EndProfiling(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  NativeHandle<InferenceSession> handle_{"session"};
  bool spin_ = true;
  std::vector<std::shared_ptr<Plan>> plans_;
};

}  // namespace node_vae
