#include "binding/inference_session.h"

#include <cstring>
#include <memory>
#include <utility>

#include "binding/abort_flag.h"
#include "binding/borrow_input.h"
#include "binding/convert.h"
#include "binding/kept.h"
#include "binding/dense_network.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

// { dtype, dims, data } of an output; `array` is the caller's where there is one, or null.
napi_value ToTensor(napi_env env, const ElementType& type, const InferenceOutput& output, napi_value array) {
  if (array == nullptr) {
    void* data = nullptr;
    const size_t count = CountElements(output.actual_dims);
    array = NewArray(env, type, count, &data);
    if (count > 0) std::memcpy(data, output.value.GetTensorRawData(), count * type.bytes);
  }
  auto object = Napi::Object::New(env);
  object.Set("dtype", type.name);
  object.Set("dims", Napi::Value(env, FromDims(env, output.actual_dims)));
  object.Set("data", Napi::Value(env, array));
  return object;
}

ValueDomain ToDomain(napi_env env, napi_value value) {
  const auto number = [&](const char* key) {
    double given = 0;
    Check(env, napi_get_value_double(env, Get(env, value, key), &given));
    return static_cast<float>(given);
  };
  return {.low = number("low"), .high = number("high"), .steps = number("steps")};
}

}  // namespace

// --- Loading ---------------------------------------------------------------------------------

class InferenceSessionWrap::LoadJob : public Job {
 public:
  LoadJob(Napi::Value model, Napi::Object options)
      : config_(ToSessionConfig(model.Env(), options)), model_(ToModelSource(model, "createInferenceSession(model)")) {
    const Napi::Env env = model.Env();
    napi_value dense_network;
    if (GetOptional(env, options, "denseNetwork", &dense_network)) dense_network_ = ToDenseNetworkSpec(env, dense_network);
    napi_value domain;
    if (GetOptional(env, options, "inputDomain", &domain)) domain_ = ToDomain(env, domain);
    auto holder = Napi::Array::New(env);
    holder.Set(0u, model);
    holder.Set(1u, options);
    kept_.Hold(env, holder);
  }

  void Work(WorkerSlot&) override {
    bytes_ = ModelSize(model_);
    std::unique_ptr<DenseNetwork> dense_network;
    if (dense_network_.inputs > 0 && DenseNetwork::Supports(dense_network_.layers)) {
      dense_network = std::make_unique<DenseNetwork>(dense_network_.inputs, dense_network_.layers, config_.intra_op_threads);
    }
    const auto* bytes = std::get_if<ModelBytes>(&model_);
    if (!dense_network_.library.empty()) {
      if (dense_network != nullptr && bytes != nullptr) {
        Deferral deferral{dense_network_.library, dense_network_.inputs_described, dense_network_.outputs_described};
        session_ = std::make_shared<InferenceSession>(*bytes, config_, std::move(deferral), std::move(dense_network),
                                                      domain_);
        return;
      }
      LoadRuntime(dense_network_.library);
    }
    session_ = std::make_shared<InferenceSession>(model_, config_, std::move(dense_network), domain_);
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
  DenseNetworkSpec dense_network_;
  ValueDomain domain_;
  Kept kept_;
  int64_t bytes_ = 0;
  std::shared_ptr<InferenceSession> session_;
};

Napi::Value InferenceSessionWrap::Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return GuardPromise(env, [&] {
    const auto options = info[1].IsObject() ? info[1].As<Napi::Object>() : Napi::Object::New(env);
    auto job = std::make_unique<LoadJob>(info[0], options);
    return AddonState::Of(env).loads.Submit(std::move(job));
  });
}

void InferenceSessionWrap::Open(Napi::Env env, std::shared_ptr<InferenceSession> session, int64_t bytes, bool spin) {
  spin_ = spin;
  handle_.Open(env, std::move(session), bytes);
}

// --- Running ---------------------------------------------------------------------------------

// What runs have in common: the session, what they borrow, and how they let go of it.
class InferenceSessionWrap::SessionJob : public Job {
 public:
  void Work(WorkerSlot& slot) override {
    request_.busy_threads = busy_threads;
    native_->Run(request_, [&slot]() -> Ort::RunOptions& { return slot.run_options(); }, abort_.get());
  }
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    request_.dense.reset();  // borrows from the session
    native_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 protected:
  explicit SessionJob(InferenceSessionWrap& wrap)
      : native_(wrap.handle_.native()), session_(native_->session()), wrap_(wrap) {}

  void Begin(napi_env env, napi_value abort, bool check_finite) {
    abort_ = AbortFlag::From(env, abort);
    request_.check_finite = check_finite;
  }
  const ElementType& TypeOf(const InferenceOutput& output) const {
    return *session_.outputs()[static_cast<size_t>(output.index)].type;
  }

  std::shared_ptr<InferenceSession> native_;
  Session& session_;
  InferenceSessionWrap& wrap_;
  std::shared_ptr<AbortState> abort_;
  InferenceRequest request_;
  Kept kept_;
};

class InferenceSessionWrap::RunJob : public SessionJob {
 public:
  explicit RunJob(InferenceSessionWrap& wrap) : SessionJob(wrap) {}

  // Checks and borrows the arguments of run().
  void Prepare(napi_env env, napi_value feeds, napi_value outputs, napi_value abort, bool check_finite);

  napi_value Result(napi_env env) override;

 private:
  void PrepareOutput(napi_env env, napi_value wanted);
  uint32_t Hold(napi_env env, napi_value array) {
    Check(env, napi_set_element(env, holder_, held_, array));
    return held_++;
  }

  std::vector<uint32_t> array_at_;  // by output: where its caller's array is held; 0 when there is none
  // Every array in use, from 1 on: one reference keeps them all. A handle: valid in Prepare() only.
  napi_value holder_ = nullptr;
  uint32_t held_ = 1;
};

void InferenceSessionWrap::RunJob::Prepare(napi_env env, napi_value feeds, napi_value outputs, napi_value abort,
                                           bool check_finite) {
  Begin(env, abort, check_finite);
  if (!IsObject(env, feeds)) throw Error(code::kOption, "run(feeds): expected an object of tensors by input name.");
  Check(env, napi_create_array(env, &holder_));

  const std::vector<ValueInfo>& inputs = session_.inputs();
  request_.inputs.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    napi_value array;
    const napi_value tensor = FeedOf(env, feeds, inputs[i]);
    request_.inputs.push_back(BorrowInput(env, inputs[i], static_cast<int>(i), tensor, &array));
    Hold(env, array);
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
  kept_.Hold(env, holder_);
}

void InferenceSessionWrap::RunJob::PrepareOutput(napi_env env, napi_value wanted) {
  if (!IsObject(env, wanted)) throw Error(code::kOption, "run(outputs): expected { name, into?, dims? }.");
  const std::string name = ToString(env, Get(env, wanted, "name"), "run(outputs).name");
  InferenceOutput output;
  output.index = OutputIndex(session_, name);
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
      if (CountElements(output.dims) != view.count) {
        throw Error(code::kShape, "output '" + name + "': shape " + FormatShape(output.dims) + " has " +
                                      std::to_string(CountElements(output.dims)) + " elements, the array has " +
                                      std::to_string(view.count) + ".");
      }
      output.bind = view.count > 0;
    }
  }
  request_.outputs.push_back(std::move(output));
  array_at_.push_back(at);
}

napi_value InferenceSessionWrap::RunJob::Result(napi_env env) {
  napi_value holder = kept_.Value(env);
  napi_value results;
  Check(env, napi_create_array_with_length(env, request_.outputs.size(), &results));
  for (uint32_t i = 0; i < request_.outputs.size(); ++i) {
    const InferenceOutput& output = request_.outputs[i];
    napi_value array = nullptr;
    if (array_at_[i] != 0) Check(env, napi_get_element(env, holder, array_at_[i], &array));
    Check(env, napi_set_element(env, results, i, ToTensor(env, TypeOf(output), output, array)));
  }
  return results;
}

Napi::Value InferenceSessionWrap::Run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return GuardPromise(env, [&] {
    auto job = std::make_unique<RunJob>(*this);
    job->Prepare(env, info[0], info[1], info[2], info[3].ToBoolean());
    return handle_.Start(*this, AddonState::Of(env).runs, std::move(job));
  });
}

// --- Running with shapes known ------------------------------------------------------------------

class InferenceSessionWrap::PreparedJob : public SessionJob {
 public:
  PreparedJob(InferenceSessionWrap& wrap, std::shared_ptr<Plan> plan)
      : SessionJob(wrap), plan_(std::move(plan)) {}

  bool Help() noexcept override { return request_.dense != nullptr && request_.dense->Help(); }
  bool helpable() const noexcept override { return request_.dense != nullptr && request_.dense->helpable(); }

  // False when the arrays do not fit; nothing is held then.
  bool Prepare(napi_env env, napi_value holder, uint32_t caller_owned, napi_value abort, bool check_finite);

  napi_value Result(napi_env env) override;
  WaitTuner* tuner() noexcept override { return wrap_.spin_ ? &plan_->tuner : nullptr; }

 private:
  // The memory of element `at` of the holder; false when that is not an array of this many elements
  // of this type.
  static bool Borrow(napi_env env, napi_value holder, size_t at, const ValueInfo& info, size_t count, void** data);

  std::shared_ptr<Plan> plan_;
};

bool InferenceSessionWrap::PreparedJob::Borrow(napi_env env, napi_value holder, size_t at, const ValueInfo& info,
                                               size_t count, void** data) {
  napi_value array;
  Check(env, napi_get_element(env, holder, static_cast<uint32_t>(at), &array));
  bool is_array = false;
  Check(env, napi_is_typedarray(env, array, &is_array));
  if (!is_array) return false;
  napi_typedarray_type kind;
  size_t length = 0;
  Check(env, napi_get_typedarray_info(env, array, &kind, &length, data, nullptr, nullptr));
  return length == count && Holds(kind, *info.type);
}

bool InferenceSessionWrap::PreparedJob::Prepare(napi_env env, napi_value holder, uint32_t caller_owned,
                                                napi_value abort, bool check_finite) {
  Begin(env, abort, check_finite);
  size_t at = 0;
  request_.inputs.resize(plan_->inputs.size());
  for (size_t i = 0; i < plan_->inputs.size(); ++i) {
    const Plan::Tensor& tensor = plan_->inputs[i];
    const ValueInfo& info = session_.inputs()[static_cast<size_t>(tensor.index)];
    InferenceInput& input = request_.inputs[i];
    if (!Borrow(env, holder, at++, info, tensor.count, &input.data)) return false;
    input.index = tensor.index;
    input.bytes = tensor.count * info.type->bytes;
    input.dims = tensor.dims;
  }
  request_.outputs.resize(plan_->outputs.size());
  for (size_t i = 0; i < plan_->outputs.size(); ++i) {
    const Plan::Tensor& tensor = plan_->outputs[i];
    const ValueInfo& info = session_.outputs()[static_cast<size_t>(tensor.index)];
    InferenceOutput& output = request_.outputs[i];
    if (!Borrow(env, holder, at++, info, tensor.count, &output.into)) return false;
    output.index = tensor.index;
    output.into_bytes = tensor.count * info.type->bytes;
    output.dims = tensor.dims;
    output.bind = true;
    output.replaceable = (caller_owned >> i & 1u) == 0;
  }
  native_->PlanDense(request_);
  kept_.Hold(env, holder);
  return true;
}

napi_value InferenceSessionWrap::PreparedJob::Result(napi_env env) {
  napi_value holder = kept_.Value(env);
  const auto inputs = static_cast<uint32_t>(request_.inputs.size());
  const auto outputs = static_cast<uint32_t>(request_.outputs.size());
  napi_value results;
  Check(env, napi_get_element(env, holder, inputs + outputs, &results));
  if (!request_.mispredicted) return results;
  plan_->retired = true;
  for (uint32_t i = 0; i < outputs; ++i) {
    const InferenceOutput& output = request_.outputs[i];
    napi_value array = nullptr;
    if (!output.replaceable) Check(env, napi_get_element(env, holder, inputs + i, &array));
    Check(env, napi_set_element(env, results, i, ToTensor(env, TypeOf(output), output, array)));
  }
  return results;
}

void InferenceSessionWrap::Prepare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Guard(env, [&] {
    Session& session = handle_.native()->session();
    const uint32_t slot = info[0].As<Napi::Number>().Uint32Value();
    const auto input_dims = info[1].As<Napi::Array>();
    const auto names = info[2].As<Napi::Array>();
    const auto output_dims = info[3].As<Napi::Array>();
    if (slot > 255 || names.Length() > 32 || output_dims.Length() != names.Length() ||
        input_dims.Length() != session.inputs().size()) {
      throw Error(code::kOption, "prepare(): arguments do not belong together.");
    }
    auto plan = std::make_shared<Plan>();
    for (uint32_t i = 0; i < input_dims.Length(); ++i) {
      const std::vector<int64_t> dims = ToDims(env, input_dims.Get(i), "prepare(inputDims)");
      plan->inputs.push_back({static_cast<int>(i), dims, CountElements(dims)});
    }
    for (uint32_t i = 0; i < names.Length(); ++i) {
      const int index = session.FindOutput(ToString(env, names.Get(i), "prepare(outputNames)"));
      if (index < 0) throw Error(code::kOption, "prepare(): no such output.");
      const std::vector<int64_t> dims = ToDims(env, output_dims.Get(i), "prepare(outputDims)");
      plan->outputs.push_back({index, dims, CountElements(dims)});
    }
    if (plans_.size() <= slot) plans_.resize(slot + 1);
    plans_[slot] = std::move(plan);
  });
}

Napi::Value InferenceSessionWrap::RunPrepared(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return GuardPromise(env, [&]() -> napi_value {
    uint32_t slot = 0;
    uint32_t caller_owned = 0;
    Check(env, napi_get_value_uint32(env, info[0], &slot));
    Check(env, napi_get_value_uint32(env, info[2], &caller_owned));
    if (slot >= plans_.size() || plans_[slot] == nullptr || plans_[slot]->retired) return env.Undefined();
    auto job = std::make_unique<PreparedJob>(*this, plans_[slot]);
    if (!job->Prepare(env, info[1], caller_owned, info[3], info[4].ToBoolean())) return env.Undefined();
    return handle_.Start(*this, AddonState::Of(env).runs, std::move(job));
  });
}

// --- The class -------------------------------------------------------------------------------

Napi::Function InferenceSessionWrap::Define(Napi::Env env) {
  return DefineClass(env, "NativeInferenceSession",
                     {InstanceAccessor<&InferenceSessionWrap::Inputs>("inputs"),
                      InstanceAccessor<&InferenceSessionWrap::Outputs>("outputs"),
                      InstanceMethod<&InferenceSessionWrap::Run>("run"),
                      InstanceMethod<&InferenceSessionWrap::Prepare>("prepare"),
                      InstanceMethod<&InferenceSessionWrap::RunPrepared>("runPrepared"),
                      InstanceMethod<&InferenceSessionWrap::RunOnDevice>("runOnDevice"),
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
