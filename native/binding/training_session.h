#pragma once

#include <memory>
#include <string>
#include <vector>

#include "binding/kept.h"
#include "binding/napi.h"
#include "binding/native_handle.h"
#include "training/session.h"

namespace node_vae {

class TrainingSessionWrap : public Napi::ObjectWrap<TrainingSessionWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createTrainingSession(config): Promise
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit TrainingSessionWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}
  void Finalize(Napi::Env env) override { DetachRows(env); }

 private:
  class CreateJob;
  class SessionJob;
  class TrainJob;
  class EvalJob;
  class StepJob;

  void Open(Napi::Env env, std::shared_ptr<TrainingSession> session, int64_t model_bytes);
  // The native session, when it is open and nothing is running on it.
  TrainingSession& Idle(const char* what);
  std::shared_ptr<TrainingSession> IdleShared(const char* what);
  napi_value Submit(Napi::Env env, std::unique_ptr<SessionJob> job);
  int64_t Bytes() const;
  void DetachRows(napi_env env) noexcept;

  Napi::Value ParameterCount(const Napi::CallbackInfo& info);
  Napi::Value GetStep(const Napi::CallbackInfo& info);
  void SetStep(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value GetPending(const Napi::CallbackInfo& info);
  void SetPending(const Napi::CallbackInfo& info, const Napi::Value& value);
  void AttachRows(const Napi::CallbackInfo& info);
  template <bool kStep>
  Napi::Value Train(const Napi::CallbackInfo& info);
  Napi::Value Evaluate(const Napi::CallbackInfo& info);
  Napi::Value OptimizerStep(const Napi::CallbackInfo& info);
  void ResetGradient(const Napi::CallbackInfo& info);
  void SetOptimizer(const Napi::CallbackInfo& info);
  Napi::Value GetParameters(const Napi::CallbackInfo& info);
  void SetParameters(const Napi::CallbackInfo& info);
  Napi::Value GetGradients(const Napi::CallbackInfo& info);
  Napi::Value GetSlot(const Napi::CallbackInfo& info);
  void SetSlot(const Napi::CallbackInfo& info);
  Napi::Value GetStates(const Napi::CallbackInfo& info);
  void SetStates(const Napi::CallbackInfo& info);
  Napi::Value EndProfiling(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  NativeHandle<TrainingSession> handle_{"session"};
  int64_t model_bytes_ = 0;
  std::vector<Kept> attached_;  // by feed: the array that its rows are read from
};

}  // namespace node_vae
