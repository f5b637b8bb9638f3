#include "binding/training_session.h"

#include <cmath>

#include "binding/abort_flag.h"
#include "binding/convert.h"
#include "binding/training_convert.h"
#include "ort/runtime.h"

namespace node_vae {

// --- Creating --------------------------------------------------------------------------------

class TrainingSessionWrap::CreateJob : public Job {
 public:
  explicit CreateJob(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject()) throw Error(code::kOption, "createTrainingSession(config): expected an object.");
    const auto options = info[0].As<Napi::Object>();
    config_ = ToTrainingConfig(env, options);
    auto held = Napi::Array::New(env);
    const Napi::Value training = options.Get("trainingModel");
    training_model_ = ToModelSource(training, "trainingModel");
    held.Set(0u, training);
    if (const Napi::Value eval = options.Get("evalModel"); !eval.IsUndefined()) {
      eval_model_ = ToModelSource(eval, "evalModel");
      held.Set(1u, eval);
    }
    held.Set(2u, options.Get("device"));
    kept_.Hold(env, held);
  }

  void Work(WorkerSlot&) override {
    bytes_ = ModelSize(training_model_) + (eval_model_ ? ModelSize(*eval_model_) : 0);
    session_ = std::make_shared<TrainingSession>(std::move(config_), training_model_, eval_model_);
  }
  napi_value Result(napi_env env) override {
    const Napi::Object object = AddonState::Of(env).training_session_class.New({});
    Unwrap(object)->Open(env, std::move(session_), bytes_);
    return object;
  }
  void Release(napi_env env) noexcept override { kept_.Drop(env); }

 private:
  TrainingConfig config_;
  ModelSource training_model_;
  std::optional<ModelSource> eval_model_;
  Kept kept_;
  int64_t bytes_ = 0;
  std::shared_ptr<TrainingSession> session_;
};

Napi::Value TrainingSessionWrap::Create(const Napi::CallbackInfo& info) {
  return GuardPromise(info.Env(), [&] {
    LoadedRuntime();
    return AddonState::Of(info.Env()).loads.Submit(std::make_unique<CreateJob>(info));
  });
}

void TrainingSessionWrap::Open(Napi::Env env, std::shared_ptr<TrainingSession> session, int64_t model_bytes) {
  attached_.resize(session->config().feeds.size());
  model_bytes_ = model_bytes;
  handle_.Open(env, std::move(session), 0);
  handle_.Account(env, Bytes());
}

void TrainingSessionWrap::DetachRows(napi_env env) noexcept {
  for (Kept& array : attached_) array.Drop(env);
}

int64_t TrainingSessionWrap::Bytes() const { return model_bytes_ + handle_.native()->Bytes(); }

std::shared_ptr<TrainingSession> TrainingSessionWrap::IdleShared(const char* what) {
  std::shared_ptr<TrainingSession> native = handle_.native();
  if (handle_.in_flight() > 0) {
    throw Error(code::kBusy, std::string(what) + ": this training session is busy; wait for the call in flight.");
  }
  return native;
}

TrainingSession& TrainingSessionWrap::Idle(const char* what) { return *IdleShared(what); }

// --- Work on another thread ------------------------------------------------------------------------

class TrainingSessionWrap::SessionJob : public Job {
 public:
  SessionJob(TrainingSessionWrap& wrap, const char* what) : session_(wrap.IdleShared(what)), wrap_(wrap) {}

  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    session_.reset();
    if (wrap_.handle_.closed()) {
      wrap_.DetachRows(env);
    } else {
      wrap_.handle_.Account(env, wrap_.Bytes());  // buffers may have grown
    }
    wrap_.handle_.End(wrap_, env);
  }

 protected:
  std::shared_ptr<TrainingSession> session_;
  TrainingSessionWrap& wrap_;
  std::shared_ptr<AbortState> abort_;
  Kept kept_;
};

napi_value TrainingSessionWrap::Submit(Napi::Env env, std::unique_ptr<SessionJob> job) {
  return handle_.Start(*this, AddonState::Of(env).trainings, std::move(job));
}

class TrainingSessionWrap::TrainJob : public SessionJob {
 public:
  TrainJob(TrainingSessionWrap& wrap, const Napi::CallbackInfo& info, bool step)
      : SessionJob(wrap, step ? "train()" : "accumulate()") {
    const Napi::Env env = info.Env();
    abort_ = AbortFlag::From(env, info[1]);
    auto held = Napi::Array::New(env);
    request_ = ToTrainRequest(env, info[0], *session_, held);
    request_.step = step;
    session_->CheckTrain(request_);
    kept_.Hold(env, held);
  }

  void Work(WorkerSlot& slot) override {
    result_ = session_->Train(request_, slot.run_options(), abort_.get(), slot.stop);
  }
  napi_value Result(napi_env env) override { return FromTrainResult(env, result_, session_->config().scalars); }

 private:
  TrainRequest request_;
  TrainResult result_;
};

template <bool kStep>
Napi::Value TrainingSessionWrap::Train(const Napi::CallbackInfo& info) {
  return GuardPromise(info.Env(),
                      [&] { return Submit(info.Env(), std::make_unique<TrainJob>(*this, info, kStep)); });
}

class TrainingSessionWrap::EvalJob : public SessionJob {
 public:
  EvalJob(TrainingSessionWrap& wrap, const Napi::CallbackInfo& info) : SessionJob(wrap, "evaluate()") {
    const Napi::Env env = info.Env();
    abort_ = AbortFlag::From(env, info[1]);
    auto held = Napi::Array::New(env);
    request_ = ToEvalRequest(env, info[0], *session_, held);
    session_->CheckEval(request_);
    kept_.Hold(env, held);
  }

  void Work(WorkerSlot& slot) override {
    results_ = session_->Evaluate(request_, slot.run_options(), abort_.get(), slot.stop);
  }
  napi_value Result(napi_env env) override {
    auto object = Napi::Object::New(env);
    const std::vector<std::string>& names = session_->config().per_example;
    for (size_t i = 0; i < names.size(); ++i) object.Set(names[i], Napi::Value(env, FromFloats(env, results_[i])));
    return object;
  }

 private:
  EvalRequest request_;
  std::vector<std::vector<float>> results_;
};

Napi::Value TrainingSessionWrap::Evaluate(const Napi::CallbackInfo& info) {
  return GuardPromise(info.Env(), [&] { return Submit(info.Env(), std::make_unique<EvalJob>(*this, info)); });
}

class TrainingSessionWrap::StepJob : public SessionJob {
 public:
  StepJob(TrainingSessionWrap& wrap, double learning_rate)
      : SessionJob(wrap, "optimizerStep()"), learning_rate_(learning_rate) {}

  void Work(WorkerSlot&) override { result_ = session_->OptimizerStep(learning_rate_); }
  napi_value Result(napi_env env) override {
    auto object = Napi::Object::New(env);
    object.Set("gradientNorm", result_.gradient_norm);
    object.Set("updateNorm", result_.update_norm);
    if (!result_.non_finite.empty()) object.Set("nonFinite", result_.non_finite);
    return object;
  }

 private:
  const double learning_rate_;
  StepResult result_;
};

Napi::Value TrainingSessionWrap::OptimizerStep(const Napi::CallbackInfo& info) {
  return GuardPromise(info.Env(), [&] {
    if (!info[0].IsNumber()) throw Error(code::kOption, "optimizerStep(learningRate): expected a number.");
    return Submit(info.Env(), std::make_unique<StepJob>(*this, info[0].As<Napi::Number>().DoubleValue()));
  });
}

// --- Reading and writing -----------------------------------------------------------------------

namespace {

uint32_t ToCount32(const Napi::Value& value, const char* what) {
  return static_cast<uint32_t>(ToCount(value.Env(), value, what, 4294967295.0));
}

TypedView<float> ViewFlat(napi_env env, const Napi::Value& value, size_t count, const std::string& what) {
  const TypedView<float> view = ViewFloat32(env, value, what);
  if (view.count != count) {
    throw Error(code::kShape, what + ": expected " + std::to_string(count) + " values, received " +
                                  std::to_string(view.count) + ".");
  }
  return view;
}

}  // namespace

Napi::Value TrainingSessionWrap::ParameterCount(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(handle_.native()->layout().flat_count()));
  });
}

Napi::Value TrainingSessionWrap::GetStep(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(Idle("step").step()));
  });
}

void TrainingSessionWrap::SetStep(const Napi::CallbackInfo& info, const Napi::Value& value) {
  Guard(info.Env(), [&] { Idle("step").set_step(ToCount32(value, "step")); });
}

Napi::Value TrainingSessionWrap::GetPending(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), Idle("pendingMicroBatches").pending());
  });
}

void TrainingSessionWrap::SetPending(const Napi::CallbackInfo& info, const Napi::Value& value) {
  Guard(info.Env(), [&] {
    Idle("pendingMicroBatches").set_pending(ToCount32(value, "pendingMicroBatches"));
  });
}

void TrainingSessionWrap::AttachRows(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] {
    TrainingSession& session = Idle("attachRows()");
    const std::string name = ToString(info.Env(), info[0], "attachRows(name)");
    const int feed = session.FindFeed(name);
    if (feed < 0 || session.config().feeds[static_cast<size_t>(feed)].kind != FeedKind::kRows) {
      throw Error(code::kOption, "attachRows('" + name + "'): this session has no feed of kind 'rows' with this name.");
    }
    const auto index = static_cast<size_t>(feed);
    session.AttachRows(index, ToRowData(info.Env(), info[1], info[2], info[3], session.config().feeds[index]));
    attached_[index].Drop(info.Env());
    attached_[index].Hold(info.Env(), info[1]);
  });
}

void TrainingSessionWrap::ResetGradient(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] { Idle("resetGradient()").ResetGradient(); });
}

void TrainingSessionWrap::SetOptimizer(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] {
    TrainingSession& session = Idle("setOptimizer()");
    if (!info[0].IsObject()) throw Error(code::kOption, "setOptimizer(optimizer): expected an object.");
    session.SetOptimizer(ToOptimizerSpec(info.Env(), info[0].As<Napi::Object>()));
    handle_.Account(info.Env(), Bytes());
  });
}

Napi::Value TrainingSessionWrap::GetParameters(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] {
    const TrainingSession& session = Idle("getParameters()");
    float* flat = nullptr;
    napi_value array = NewFloat32(info.Env(), session.layout().flat_count(), &flat);
    session.GetParameters(flat);
    return Napi::Value(info.Env(), array);
  });
}

void TrainingSessionWrap::SetParameters(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] {
    TrainingSession& session = Idle("setParameters()");
    session.SetParameters(ViewFlat(info.Env(), info[0], session.layout().flat_count(), "setParameters(values)").data);
  });
}

Napi::Value TrainingSessionWrap::GetGradients(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] {
    const TrainingSession& session = Idle("getGradients()");
    float* flat = nullptr;
    napi_value array = NewFloat32(info.Env(), session.layout().flat_count(), &flat);
    session.GetGradients(flat);
    return Napi::Value(info.Env(), array);
  });
}

Napi::Value TrainingSessionWrap::GetSlot(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const TrainingSession& session = Idle("getSlot()");
    const Slot slot = ToSlot(info[0]);
    if (!session.HasSlot(slot)) return info.Env().Undefined();
    float* flat = nullptr;
    napi_value array = NewFloat32(info.Env(), session.layout().flat_count(), &flat);
    session.GetSlot(slot, flat);
    return Napi::Value(info.Env(), array);
  });
}

void TrainingSessionWrap::SetSlot(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] {
    TrainingSession& session = Idle("setSlot()");
    const Slot slot = ToSlot(info[0]);
    session.SetSlot(slot, ViewFlat(info.Env(), info[1], session.layout().flat_count(), "setSlot(values)").data);
    handle_.Account(info.Env(), Bytes());
  });
}

Napi::Value TrainingSessionWrap::GetStates(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const TrainingSession& session = Idle("getStates()");
    auto object = Napi::Object::New(info.Env());
    const std::vector<StateSpec>& states = session.config().states;
    for (size_t i = 0; i < states.size(); ++i) {
      float* data = nullptr;
      napi_value array = NewFloat32(info.Env(), session.StateCount(i), &data);
      session.GetState(i, data);
      object.Set(states[i].name, Napi::Value(info.Env(), array));
    }
    return object;
  });
}

void TrainingSessionWrap::SetStates(const Napi::CallbackInfo& info) {
  Guard(info.Env(), [&] {
    TrainingSession& session = Idle("setStates()");
    if (!info[0].IsObject()) throw Error(code::kOption, "setStates(values): expected an object of arrays by name.");
    const auto values = info[0].As<Napi::Object>();
    const std::vector<StateSpec>& states = session.config().states;
    // All are checked before the first is written.
    std::vector<const float*> sources;
    for (size_t i = 0; i < states.size(); ++i) {
      const std::string what = "setStates(): state '" + states[i].name + "'";
      sources.push_back(ViewFlat(info.Env(), values.Get(states[i].name), session.StateCount(i), what).data);
    }
    for (size_t i = 0; i < states.size(); ++i) session.SetState(i, sources[i]);
  });
}

Napi::Value TrainingSessionWrap::EndProfiling(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), Idle("endProfiling()").EndProfiling());
  });
}

Napi::Value TrainingSessionWrap::Close(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] {
    // The call in flight, if any, reads attached rows until it ends.
    if (handle_.in_flight() == 0) DetachRows(info.Env());
    return Napi::Value(info.Env(), handle_.Close(info.Env()));
  });
}

Napi::Function TrainingSessionWrap::Define(Napi::Env env) {
  using Self = TrainingSessionWrap;
  return DefineClass(env, "NativeTrainingSession",
                     {InstanceAccessor<&Self::ParameterCount>("parameterCount"),
                      InstanceAccessor<&Self::GetStep, &Self::SetStep>("step"),
                      InstanceAccessor<&Self::GetPending, &Self::SetPending>("pendingMicroBatches"),
                      InstanceMethod<&Self::AttachRows>("attachRows"),
                      InstanceMethod<&Self::Train<true>>("train"),
                      InstanceMethod<&Self::Train<false>>("accumulate"),
                      InstanceMethod<&Self::Evaluate>("evaluate"),
                      InstanceMethod<&Self::OptimizerStep>("optimizerStep"),
                      InstanceMethod<&Self::ResetGradient>("resetGradient"),
                      InstanceMethod<&Self::SetOptimizer>("setOptimizer"),
                      InstanceMethod<&Self::GetParameters>("getParameters"),
                      InstanceMethod<&Self::SetParameters>("setParameters"),
                      InstanceMethod<&Self::GetGradients>("getGradients"),
                      InstanceMethod<&Self::GetSlot>("getSlot"),
                      InstanceMethod<&Self::SetSlot>("setSlot"),
                      InstanceMethod<&Self::GetStates>("getStates"),
                      InstanceMethod<&Self::SetStates>("setStates"),
                      InstanceMethod<&Self::EndProfiling>("endProfiling"),
                      InstanceMethod<&Self::Close>("close")});
}

}  // namespace node_vae
