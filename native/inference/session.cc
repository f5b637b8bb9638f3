#include "inference/session.h"

#include <array>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/heap.h"
#include "inference/activations.h"
#include "ort/memory.h"

namespace node_vae {
namespace {

// Names and values of a run; small graphs stay off the heap.
template <typename T>
class SmallArray {
 public:
  explicit SmallArray(size_t size) : heap_(size > kInline ? size : 0) {}
  T* data() noexcept { return heap_.empty() ? inline_.data() : heap_.data(); }
  T& operator[](size_t i) noexcept { return data()[i]; }

 private:
  static constexpr size_t kInline = 8;
  std::array<T, kInline> inline_{};
  std::vector<T> heap_;
};

#if defined(_MSC_VER)
// Built for the oldest processors only, our kernels are slower than ONNX Runtime's for several rows.
constexpr bool kBatches = false;
#else
constexpr bool kBatches = true;
#endif

[[noreturn]] void RefuseValues(const ValueInfo& info) {
  throw Error(code::kData, "The input '" + info.name + "' holds NaN, infinity or a value that the model is not defined on.");
}

}  // namespace

void InferenceSession::Run(InferenceRequest& request, const std::function<Ort::RunOptions&()>& run_options,
                           AbortState* abort) {
  if (abort != nullptr && abort->aborted()) throw Error(code::kAborted, "The run was aborted.");
  if (!request.planned) PlanDense(request);
  if (request.dense != nullptr) return RunDense(request, abort);
  session_.ort();  // opened, where that was deferred: before it, nothing of ONNX Runtime can be made
  Ort::RunOptions& options = run_options();
  const AbortState::Running running(abort, options);
  if (abort != nullptr && abort->aborted()) throw Error(code::kAborted, "The run was aborted.");
  if (request.check_finite) CheckFinite(request);
  bool bound = false;
  for (const InferenceOutput& output : request.outputs) bound = bound || output.bind;
  try {
    try {
      RunOnce(request, options, bound);
    } catch (const Ort::Exception&) {
      if (!bound || (abort != nullptr && abort->aborted())) throw;
      // An output may have come out with a shape other than the bound one; find out which.
      RunOnce(request, options, false);
      request.mispredicted = true;
      for (InferenceOutput& output : request.outputs) {
        if (output.replaceable) output.into = nullptr;
      }
    }
  } catch (const Ort::Exception& error) {
    if (abort != nullptr && abort->aborted()) throw Error(code::kAborted, "The run was aborted.");
    ThrowRuntimeError(error, "Running the model");
  }
  for (InferenceOutput& output : request.outputs) Collect(output);
  if (!session_.keeps_memory()) GiveMemoryBack();
}

void InferenceSession::CheckFinite(const InferenceRequest& request) const {
  for (const InferenceInput& input : request.inputs) {
    const ValueInfo& info = session_.inputs()[static_cast<size_t>(input.index)];
    if (info.type->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) continue;
    if (!AllWithin(static_cast<const float*>(input.data), input.bytes / sizeof(float), input.index == 0 ? domain_ : ValueDomain{})) {
      RefuseValues(info);
    }
  }
}

void InferenceSession::PlanDense(InferenceRequest& request) {
  request.planned = true;
  if (dense_network_ == nullptr || request.inputs.size() != 1) return;
  const InferenceInput& input = request.inputs[0];
  const size_t row_bytes = dense_network_->inputs() * sizeof(float);
  const size_t rows = input.bytes / row_bytes;
  if (rows == 0 || input.bytes != rows * row_bytes) return;
  if (rows > 1 && !kBatches) return;
  std::vector<float*> outputs(session_.outputs().size());
  for (const InferenceOutput& output : request.outputs) {
    const size_t size = dense_network_->OutputSize(output.index);
    float*& into = outputs[static_cast<size_t>(output.index)];
    const bool known = output.bind && size > 0 && output.into_bytes == rows * size * sizeof(float);
    if (!known || into != nullptr) return;
    into = static_cast<float*>(output.into);
  }
  request.dense = std::make_unique<DenseRun>(*dense_network_, static_cast<const float*>(input.data), rows,
                                             std::move(outputs), request.check_finite, domain_);
}

void InferenceSession::RunDense(InferenceRequest& request, AbortState* abort) {
  const bool finite = request.dense->Finish(request.busy_threads, abort == nullptr ? nullptr : &abort->flag());
  if (abort != nullptr && abort->aborted()) throw Error(code::kAborted, "The run was aborted.");
  if (!finite) RefuseValues(session_.inputs()[static_cast<size_t>(request.inputs[0].index)]);
  for (InferenceOutput& output : request.outputs) output.actual_dims = output.dims;
}

void InferenceSession::RunOnce(InferenceRequest& request, Ort::RunOptions& options, bool bind) {
  const size_t input_count = request.inputs.size();
  const size_t output_count = request.outputs.size();
  SmallArray<const char*> input_names(input_count);
  SmallArray<Ort::Value> inputs(input_count);
  SmallArray<const char*> output_names(output_count);
  SmallArray<Ort::Value> outputs(output_count);
  for (size_t i = 0; i < input_count; ++i) {
    const InferenceInput& input = request.inputs[i];
    const ValueInfo& info = session_.inputs()[static_cast<size_t>(input.index)];
    input_names[i] = info.name.c_str();
    inputs[i] = Ort::Value::CreateTensor(CpuMemory(), input.data, input.bytes, input.dims.data(), input.dims.size(),
                                         info.type->type);
  }
  for (size_t i = 0; i < output_count; ++i) {
    const InferenceOutput& output = request.outputs[i];
    const ValueInfo& info = session_.outputs()[static_cast<size_t>(output.index)];
    output_names[i] = info.name.c_str();
    if (bind && output.bind) {
      outputs[i] = Ort::Value::CreateTensor(CpuMemory(), output.into, output.into_bytes, output.dims.data(),
                                            output.dims.size(), info.type->type);
    }
  }
  session_.ort().Run(options, input_names.data(), inputs.data(), input_count, output_names.data(), outputs.data(),
                     output_count);
  for (size_t i = 0; i < output_count; ++i) {
    InferenceOutput& output = request.outputs[i];
    if (bind && output.bind) {
      output.actual_dims = output.dims;
      output.value = Ort::Value(nullptr);
    } else {
      output.value = std::move(outputs[i]);
    }
  }
}

// Fills in the shape of an output that ONNX Runtime allocated, and copies it to where it is wanted.
void InferenceSession::Collect(InferenceOutput& output) const {
  if (!output.value) return;
  const ValueInfo& info = session_.outputs()[static_cast<size_t>(output.index)];
  if (!output.value.IsTensor()) {
    throw Error(code::kRuntime, "The model's output '" + info.name + "' did not come out as a dense tensor.");
  }
  const Ort::TensorTypeAndShapeInfo shape = output.value.GetTensorTypeAndShapeInfo();
  output.actual_dims = shape.GetShape();
  if (output.into == nullptr) return;
  const size_t bytes = shape.GetElementCount() * info.type->bytes;
  if (bytes != output.into_bytes) {
    throw Error(code::kShape, "Output '" + info.name + "' has shape " + FormatShape(output.actual_dims) + ", " +
                                  std::to_string(shape.GetElementCount()) + " elements; the array given for it holds " +
                                  std::to_string(output.into_bytes / info.type->bytes) + ".");
  }
  std::memcpy(output.into, output.value.GetTensorRawData(), bytes);
  output.value = Ort::Value(nullptr);
}

}  // namespace node_vae
