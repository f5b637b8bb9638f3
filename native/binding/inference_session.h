#pragma once

#include <memory>
#include <string>
#include <vector>

#include "binding/napi.h"
#include "binding/session_handle.h"
#include "inference/session.h"

namespace node_vae {

class InferenceSessionWrap : public Napi::ObjectWrap<InferenceSessionWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createInferenceSession(model, options): Promise
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit InferenceSessionWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  class LoadJob;
  class RunJob;

  // Output shapes seen for given input shapes: they let the results be allocated before the run.
  struct KnownShapes {
    std::vector<std::vector<int64_t>> inputs;
    std::vector<std::vector<int64_t>> outputs;  // by output index, where seen
    std::vector<bool> seen;
  };
  static constexpr size_t kMaxKnown = 32;

  void Open(Napi::Env env, std::shared_ptr<InferenceSession> session, int64_t bytes, bool spin);
  Napi::Value Inputs(const Napi::CallbackInfo& info);
  Napi::Value Outputs(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  Napi::Value EndProfiling(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  KnownShapes* FindShapes(const InferenceRequest& request);
  void Learn(const InferenceRequest& request);

  SessionHandle<InferenceSession> handle_;
  bool spin_ = true;
  std::vector<KnownShapes> known_;
  std::vector<bool> varies_;  // outputs whose shape does not follow from the inputs' shapes
};

}  // namespace node_vae
