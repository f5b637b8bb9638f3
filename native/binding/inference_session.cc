#include "binding/inference_session.h"

#include <algorithm>
#include <cstring>

#include "binding/abort_flag.h"
#include "binding/convert.h"
#include "binding/kept.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

size_t CountOf(const std::vector<int64_t>& dims) noexcept { return static_cast<size_t>(ElementCount(dims)); }

napi_value TensorObject(napi_env env, const ElementType& type, const std::vector<int64_t>& dims, napi_value data) {
  auto object = Napi::Object::New(env);
  object.Set("dtype", type.name);
  object.Set("dims", Napi::Value(env, FromDims(env, dims)));
  object.Set("data", Napi::Value(env, data));
  return object;
}

}  // namespace

// --- Loading ---------------------------------------------------------------------------------

class InferenceSessionWrap::LoadJob : public Job {
 public:
  LoadJob(Napi::Value model, SessionConfig config)
      : config_(std::move(config)), model_(ToModelSource(model, "createInferenceSession(model)")) {
    if (model.IsObject()) kept_.Hold(model.Env(), model);
  }

  void Work(WorkerSlot&) override {
    bytes_ = ModelSize(model_);
    session_ = std::make_shared<InferenceSession>(model_, config_);
  }
  void Release(napi_env env) noexcept override { kept_.Drop(env); }
  napi_value Result(napi_env env) override {
    const Napi::Object object = AddonState::Of(env).inference_session_class.New({});
    Unwrap(object)->Open(env, std::move(session_), bytes_, config_.spin);
    return object;
  }

 private:
  SessionConfig config_;
  ModelSource model_;
  Kept kept_;
  int64_t bytes_ = 0;
  std::shared_ptr<InferenceSession> session_;
};

Napi::Value InferenceSessionWrap::Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    LoadedRuntime();
    const auto options = info[1].IsObject() ? info[1].As<Napi::Object>() : Napi::Object::New(env);
    auto job = std::make_unique<LoadJob>(info[0], ToSessionConfig(env, options));
    return Napi::Value(env, AddonState::Of(env).loads.Submit(std::move(job)));
  });
}

void InferenceSessionWrap::Open(Napi::Env env, std::shared_ptr<InferenceSession> session, int64_t bytes, bool spin) {
  varies_.assign(session->session().outputs().size(), false);
  spin_ = spin;
  handle_.Open(env, std::move(session), bytes);
}

// --- Running ---------------------------------------------------------------------------------

class InferenceSessionWrap::RunJob : public Job {
 public:
  explicit RunJob(InferenceSessionWrap& wrap)
      : native_(wrap.handle_.native()), session_(native_->session()), wrap_(wrap), spin_(wrap.spin_) {}

  // Checks and borrows the arguments of run().
  void Prepare(napi_env env, napi_value feeds, napi_value outputs, napi_value abort);

  void Work(WorkerSlot& slot) override { native_->Run(request_, slot.run_options, abort_.get()); }
  napi_value Result(napi_env env) override;
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    native_.reset();
    wrap_.handle_.End(wrap_, env);
  }
  bool spin() const noexcept override { return spin_; }

 private:
  void PrepareInput(napi_env env, const ValueInfo& info, int index, napi_value tensor);
  void PrepareOutput(napi_env env, napi_value wanted);
  // Makes the results now where their shapes are known from an earlier run, so that ONNX Runtime
  // writes straight into them.
  void Predict(napi_env env);
  const ElementType& TypeOf(const InferenceOutput& output) const {
    return *session_.outputs()[static_cast<size_t>(output.index)].type;
  }
  uint32_t Hold(napi_env env, napi_value array) {
    Check(env, napi_set_element(env, holder_, held_, array));
    return held_++;
  }

  std::shared_ptr<InferenceSession> native_;
  Session& session_;
  InferenceSessionWrap& wrap_;
  const bool spin_;
  std::shared_ptr<AbortState> abort_;
  InferenceRequest request_;
  std::vector<uint32_t> array_at_;  // by output: where its caller's array is held; 0 when there is none
  // [results, every array in use]: one reference keeps them all. A handle: valid in Prepare() only.
  napi_value holder_ = nullptr;
  uint32_t held_ = 1;
  Kept kept_;
};

void InferenceSessionWrap::RunJob::Prepare(napi_env env, napi_value feeds, napi_value outputs, napi_value abort) {
  abort_ = AbortFlag::From(env, abort);
  if (!IsObject(env, feeds)) throw Error(code::kOption, "run(feeds): expected an object of tensors by input name.");
  Check(env, napi_create_array(env, &holder_));

  const std::vector<ValueInfo>& inputs = session_.inputs();
  request_.inputs.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    napi_value tensor;
    if (!GetOptional(env, feeds, inputs[i].name.c_str(), &tensor)) {
      throw Error(code::kShape, "run(feeds): the model's input '" + inputs[i].name + "' (" + inputs[i].type->name + " " +
                                    FormatShape(inputs[i].dims) + ") was not given.");
    }
    PrepareInput(env, inputs[i], static_cast<int>(i), tensor);
  }

  bool is_array = false;
  Check(env, napi_is_array(env, outputs, &is_array));
  uint32_t output_count = 0;
  if (is_array) Check(env, napi_get_array_length(env, outputs, &output_count));
  if (output_count == 0) throw Error(code::kOption, "run(outputs): expected a list of at least one output.");
  request_.outputs.reserve(output_count);
  array_at_.reserve(output_count);
  for (uint32_t i = 0; i < output_count; ++i) {
    napi_value wanted;
    Check(env, napi_get_element(env, outputs, i, &wanted));
    PrepareOutput(env, wanted);
  }
  Predict(env);
  kept_.Hold(env, holder_);
}

void InferenceSessionWrap::RunJob::PrepareInput(napi_env env, const ValueInfo& info, int index, napi_value tensor) {
  const auto what = [&] { return "input '" + info.name + "'"; };
  if (!IsObject(env, tensor)) throw Error(code::kOption, what() + ": expected { dtype, dims, data }.");
  InferenceInput input;
  input.index = index;
  input.dims = ToDims(env, Get(env, tensor, "dims"), "input");
  napi_value data = Get(env, tensor, "data");
  const ArrayView view = ViewArray(env, data, "input");
  if (!Holds(view.type, *info.type)) ViewArrayOf(env, data, *info.type, what());  // throws
  bool fits = input.dims.size() == info.dims.size();
  for (size_t d = 0; fits && d < input.dims.size(); ++d) fits = info.dims[d] < 0 || info.dims[d] == input.dims[d];
  if (!fits) {
    throw Error(code::kShape,
                what() + ": expected shape " + FormatShape(info.dims) + ", received " + FormatShape(input.dims) + ".");
  }
  if (view.count != CountOf(input.dims)) {
    throw Error(code::kShape, what() + ": shape " + FormatShape(input.dims) + " has " +
                                  std::to_string(CountOf(input.dims)) + " elements, the array has " +
                                  std::to_string(view.count) + ".");
  }
  input.data = view.data;
  input.bytes = view.bytes;
  request_.inputs.push_back(std::move(input));
  Hold(env, data);
}

void InferenceSessionWrap::RunJob::PrepareOutput(napi_env env, napi_value wanted) {
  if (!IsObject(env, wanted)) throw Error(code::kOption, "run(outputs): expected { name, into?, dims? }.");
  const std::string name = ToString(env, Get(env, wanted, "name"), "run(outputs).name");
  InferenceOutput output;
  output.index = session_.FindOutput(name);
  if (output.index < 0) {
    std::string known;
    for (const ValueInfo& info : session_.outputs()) known += (known.empty() ? "'" : ", '") + info.name + "'";
    throw Error(code::kOption, "run(outputs): the model has no output '" + name + "'; it has " + known + ".");
  }
  if (TypeOf(output).bytes == 0) throw Error(code::kShape, "output '" + name + "': string tensors are not supported.");
  uint32_t at = 0;
  napi_value array;
  if (GetOptional(env, wanted, "into", &array)) {
    const ArrayView view = ViewArrayOf(env, array, TypeOf(output), "output '" + name + "'");
    output.into = view.data;
    output.into_bytes = view.bytes;
    at = Hold(env, array);
    napi_value dims;
    if (GetOptional(env, wanted, "dims", &dims)) {
      output.dims = ToDims(env, dims, "output '" + name + "'");
      if (CountOf(output.dims) != view.count) {
        throw Error(code::kShape, "output '" + name + "': shape " + FormatShape(output.dims) + " has " +
                                      std::to_string(CountOf(output.dims)) + " elements, the array has " +
                                      std::to_string(view.count) + ".");
      }
      output.bind = view.count > 0;
    }
  }
  request_.outputs.push_back(std::move(output));
  array_at_.push_back(at);
}

void InferenceSessionWrap::RunJob::Predict(napi_env env) {
  const KnownShapes* known = wrap_.FindShapes(request_);
  napi_value results;
  Check(env, napi_create_array_with_length(env, request_.outputs.size(), &results));
  for (uint32_t i = 0; i < request_.outputs.size(); ++i) {
    InferenceOutput& output = request_.outputs[i];
    const auto index = static_cast<size_t>(output.index);
    napi_value array = nullptr;
    if (array_at_[i] != 0) Check(env, napi_get_element(env, holder_, array_at_[i], &array));
    if (!output.bind && known != nullptr && known->seen[index] && !wrap_.varies_[index]) {
      const ElementType& type = TypeOf(output);
      const size_t bytes = CountOf(known->outputs[index]) * type.bytes;
      if (array == nullptr && bytes > 0) {
        array = NewArray(env, type, bytes / type.bytes, &output.into);
        output.into_bytes = bytes;
        output.replaceable = true;
      }
      output.bind = bytes > 0 && output.into_bytes == bytes;
      if (output.bind) output.dims = known->outputs[index];
    }
    if (output.bind) {
      Check(env, napi_set_element(env, results, i, TensorObject(env, TypeOf(output), output.dims, array)));
    }
  }
  Check(env, napi_set_element(env, holder_, 0, results));
}

napi_value InferenceSessionWrap::RunJob::Result(napi_env env) {
  napi_value holder = kept_.Value(env);
  napi_value results;
  Check(env, napi_get_element(env, holder, 0, &results));
  bool learn = false;
  for (uint32_t i = 0; i < request_.outputs.size(); ++i) {
    const InferenceOutput& output = request_.outputs[i];
    if (output.bind && !request_.mispredicted) continue;
    learn = true;
    const ElementType& type = TypeOf(output);
    napi_value array;
    if (array_at_[i] != 0) {
      Check(env, napi_get_element(env, holder, array_at_[i], &array));
    } else {
      void* data = nullptr;
      const size_t count = CountOf(output.actual_dims);
      array = NewArray(env, type, count, &data);
      if (count > 0) std::memcpy(data, output.value.GetTensorRawData(), count * type.bytes);
    }
    Check(env, napi_set_element(env, results, i, TensorObject(env, type, output.actual_dims, array)));
  }
  if (learn) wrap_.Learn(request_);
  return results;
}

InferenceSessionWrap::KnownShapes* InferenceSessionWrap::FindShapes(const InferenceRequest& request) {
  for (KnownShapes& known : known_) {
    bool same = true;
    for (size_t i = 0; same && i < request.inputs.size(); ++i) same = known.inputs[i] == request.inputs[i].dims;
    if (same) return &known;
  }
  return nullptr;
}

void InferenceSessionWrap::Learn(const InferenceRequest& request) {
  KnownShapes* known = FindShapes(request);
  if (known == nullptr) {
    if (known_.size() >= kMaxKnown) known_.erase(known_.begin());
    KnownShapes fresh;
    for (const InferenceInput& input : request.inputs) fresh.inputs.push_back(input.dims);
    fresh.outputs.resize(varies_.size());
    fresh.seen.resize(varies_.size());
    known_.push_back(std::move(fresh));
    known = &known_.back();
  }
  for (const InferenceOutput& output : request.outputs) {
    const auto index = static_cast<size_t>(output.index);
    if (known->seen[index] && known->outputs[index] != output.actual_dims) varies_[index] = true;
    known->seen[index] = true;
    known->outputs[index] = output.actual_dims;
  }
}

Napi::Value InferenceSessionWrap::Run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    auto job = std::make_unique<RunJob>(*this);
    job->Prepare(env, info[0], info[1], info[2]);
    handle_.Begin(*this);
    return Napi::Value(env, AddonState::Of(env).runs.Submit(std::move(job)));
  });
}

// --- The class -------------------------------------------------------------------------------

Napi::Function InferenceSessionWrap::Define(Napi::Env env) {
  return DefineClass(env, "NativeInferenceSession",
                     {InstanceAccessor<&InferenceSessionWrap::Inputs>("inputs"),
                      InstanceAccessor<&InferenceSessionWrap::Outputs>("outputs"),
                      InstanceMethod<&InferenceSessionWrap::Run>("run"),
                      InstanceMethod<&InferenceSessionWrap::EndProfiling>("endProfiling"),
                      InstanceMethod<&InferenceSessionWrap::Close>("close")});
}

Napi::Value InferenceSessionWrap::Inputs(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return FromValueInfos(info.Env(), handle_.native()->session().inputs());
  });
}

Napi::Value InferenceSessionWrap::Outputs(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    return FromValueInfos(info.Env(), handle_.native()->session().outputs());
  });
}

Napi::Value InferenceSessionWrap::EndProfiling(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto& native = handle_.native();
    if (handle_.in_flight() > 0) throw Error(code::kBusy, "endProfiling(): wait for the runs in flight first.");
    return Napi::String::New(info.Env(), native->session().EndProfiling());
  });
}

Napi::Value InferenceSessionWrap::Close(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] { return Napi::Value(info.Env(), handle_.Close(info.Env())); });
}

}  // namespace node_vae
