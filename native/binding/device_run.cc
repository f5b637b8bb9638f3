// runOnDevice() of inference sessions.
#include "inference/device_run.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "binding/abort_flag.h"
#include "binding/borrow_input.h"
#include "binding/convert.h"
#include "binding/device_tensor.h"
#include "binding/inference_session.h"
#include "binding/kept.h"

namespace node_vae {

class InferenceSessionWrap::DeviceJob : public Job {
 public:
  explicit DeviceJob(InferenceSessionWrap& wrap) : native_(wrap.handle_.native()), wrap_(wrap) {}

  // Checks and borrows the arguments of runOnDevice().
  void Prepare(Napi::Env env, napi_value feeds, napi_value outputs, napi_value abort);

  void Work(WorkerSlot& slot) override {
    native_->session().ort();  // opened, where that was deferred: before it, there are no options of a run
    node_vae::RunOnDevice(native_->session(), request_, slot.run_options(), abort_.get());
  }
  napi_value Result(napi_env env) override;
  void Release(napi_env env) noexcept override {
    kept_.Drop(env);
    request_ = {};
    native_.reset();
    wrap_.handle_.End(wrap_, env);
  }

 private:
  std::shared_ptr<InferenceSession> native_;
  InferenceSessionWrap& wrap_;
  std::shared_ptr<AbortState> abort_;
  DeviceRequest request_;
  Kept kept_;
};

void InferenceSessionWrap::DeviceJob::Prepare(Napi::Env env, napi_value feeds, napi_value outputs, napi_value abort) {
  abort_ = AbortFlag::From(env, abort);
  if (!IsObject(env, feeds)) throw Error(code::kOption, "runOnDevice(feeds): expected an object of tensors by input name.");
  const Session& session = native_->session();
  auto holder = Napi::Array::New(env);
  for (size_t i = 0; i < session.inputs().size(); ++i) {
    const ValueInfo& info = session.inputs()[i];
    const napi_value tensor = FeedOf(env, feeds, info);
    DeviceInput input;
    input.index = static_cast<int>(i);
    if (DeviceTensorWrap::Is(env, tensor)) {
      input.tensor = DeviceTensorWrap::From(env, tensor);
      if (input.tensor->type != info.type) {
        throw Error(code::kShape, "input '" + info.name + "': expected " + info.type->name + ", received " +
                                      input.tensor->type->name + ".");
      }
      CheckInputDims(info, input.tensor->dims);
    } else {
      napi_value array;
      InferenceInput borrowed = BorrowInput(env, info, input.index, tensor, &array);
      input.data = borrowed.data;
      input.bytes = borrowed.bytes;
      input.dims = std::move(borrowed.dims);
      holder.Set(holder.Length(), array);
    }
    request_.inputs.push_back(std::move(input));
  }
  const auto wanted = Napi::Value(env, outputs).As<Napi::Array>();
  for (uint32_t i = 0; i < wanted.Length(); ++i) {
    const napi_value each = wanted.Get(i);
    DeviceOutput output;
    output.index = OutputIndex(session, ToString(env, Get(env, each, "name"), "runOnDevice(outputs).name"));
    output.keep = Napi::Value(env, Get(env, each, "keep")).ToBoolean();
    request_.outputs.push_back(std::move(output));
  }
  kept_.Hold(env, holder);
}

napi_value InferenceSessionWrap::DeviceJob::Result(napi_env raw) {
  const Napi::Env env(raw);
  const Session& session = native_->session();
  auto results = Napi::Array::New(env);
  for (DeviceOutput& output : request_.outputs) {
    const ElementType& type = *session.outputs()[static_cast<size_t>(output.index)].type;
    const Ort::TensorTypeAndShapeInfo shape = output.value.GetTensorTypeAndShapeInfo();
    const std::vector<int64_t> dims = shape.GetShape();
    if (output.keep) {
      auto tensor = std::make_shared<DeviceTensor>();
      tensor->type = &type;
      tensor->dims = dims;
      tensor->location = session.device().name;
      tensor->owner = native_;
      tensor->value = std::move(output.value);
      results.Set(results.Length(), Napi::Value(env, DeviceTensorWrap::Make(env, std::move(tensor))));
      continue;
    }
    void* data = nullptr;
    const size_t count = shape.GetElementCount();
    const napi_value array = NewArray(env, type, count, &data);
    if (count > 0) std::memcpy(data, output.value.GetTensorRawData(), count * type.bytes);
    auto object = Napi::Object::New(env);
    object.Set("dtype", type.name);
    object.Set("dims", Napi::Value(env, FromDims(env, dims)));
    object.Set("data", Napi::Value(env, array));
    results.Set(results.Length(), object);
  }
  return results;
}

Napi::Value InferenceSessionWrap::RunOnDevice(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return GuardPromise(env, [&] {
    auto job = std::make_unique<DeviceJob>(*this);
    job->Prepare(env, info[0], info[1], info[2]);
    return handle_.Start(*this, AddonState::Of(env).runs, std::move(job));
  });
}

}  // namespace node_vae
