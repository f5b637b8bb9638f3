#include "inference/device_run.h"

#include <utility>

#include "core/error.h"
#include "ort/memory.h"

namespace node_vae {

int64_t DeviceTensor::bytes() const noexcept {
  int64_t count = static_cast<int64_t>(type->bytes);
  for (const int64_t dim : dims) count *= dim;
  return count;
}

void RunOnDevice(Session& session, DeviceRequest& request, Ort::RunOptions& options, AbortState* abort) {
  const AbortState::Running running(abort, options);
  if (abort != nullptr && abort->aborted()) throw Error(code::kAborted, "The run was aborted.");
  try {
    Ort::IoBinding binding(session.ort());
    std::vector<Ort::Value> borrowed;
    borrowed.reserve(request.inputs.size());
    for (const DeviceInput& input : request.inputs) {
      const ValueInfo& info = session.inputs()[static_cast<size_t>(input.index)];
      if (input.tensor != nullptr) {
        binding.BindInput(info.name.c_str(), input.tensor->value);
        continue;
      }
      borrowed.push_back(Ort::Value::CreateTensor(CpuMemory(), input.data, input.bytes, input.dims.data(),
                                                  input.dims.size(), info.type->type));
      binding.BindInput(info.name.c_str(), borrowed.back());
    }
    for (const DeviceOutput& output : request.outputs) {
      const ValueInfo& info = session.outputs()[static_cast<size_t>(output.index)];
      const OrtMemoryInfo* memory = output.keep ? session.device().info : CpuMemory();
      binding.BindOutput(info.name.c_str(), memory);
    }
    session.ort().Run(options, binding);
    binding.SynchronizeOutputs();
    std::vector<Ort::Value> values = binding.GetOutputValues();
    for (size_t i = 0; i < values.size(); ++i) request.outputs[i].value = std::move(values[i]);
  } catch (const Ort::Exception& error) {
    if (abort != nullptr && abort->aborted()) throw Error(code::kAborted, "The run was aborted.");
    ThrowRuntimeError(error, "Running the model");
  }
}

}  // namespace node_vae
