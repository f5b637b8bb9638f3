#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <new>
#include <vector>

#include "core/thread_order.h"
#include "kernels/parallel.h"
#include "ort/api.h"
#include "ort/memory.h"

namespace node_vae {

// What ONNX Runtime holds for a node: `Kernel`, made from an OrtKernelInfo and run by
// Compute(Ort::KernelContext&). Whatever either throws becomes ONNX Runtime's error.
template <typename Kernel>
class NodeKernel {
 public:
  explicit NodeKernel(const Ort::ConstKernelInfo& info) : kernel_(info) {}
  OrtStatusPtr ComputeV2(OrtKernelContext* context) {
    return Guarded([&] {
      Ort::KernelContext wrapped(context);
      kernel_.Compute(wrapped);
    });
  }

  template <typename Body>
  static OrtStatusPtr Guarded(const Body& body) noexcept {
    try {
      body();
      return nullptr;
    } catch (const std::exception& error) {
      return Ort::Status(error.what(), ORT_RUNTIME_EXCEPTION).release();
    }
  }

 private:
  Kernel kernel_;
};

// An operator of float32 tensors.
template <typename Kernel>
struct CustomOp : Ort::CustomOpBase<CustomOp<Kernel>, NodeKernel<Kernel>, true> {
  const char* GetName() const { return Kernel::kName; }
  size_t GetInputTypeCount() const { return Kernel::kInputs; }
  size_t GetOutputTypeCount() const { return Kernel::kOutputs; }
  ONNXTensorElementDataType GetInputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t index) const {
    return index < Kernel::kRequiredInputs ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
  }
  OrtCustomOpInputOutputCharacteristic GetOutputCharacteristic(size_t index) const {
    return index < Kernel::kRequiredOutputs ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
  }
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return NodeKernel<Kernel>::Guarded([&] { *kernel = new NodeKernel<Kernel>(Ort::ConstKernelInfo(info)); });
  }
};

// ONNX Runtime's threads and memory for the length of one run of an operator.
class KernelParallel final : public Parallel {
 public:
  explicit KernelParallel(const Ort::KernelContext& context)
      : context_(context), allocator_(context.GetAllocator(*CpuMemory())) {}

  void For(size_t count, const std::function<void(size_t)>& body) override {
    if (count == 0) return;
    auto* function = const_cast<std::function<void(size_t)>*>(&body);
    HandOver(function);
    context_.ParallelFor(
        [](void* context, size_t index) {
          TakeOver(context);
          (*static_cast<std::function<void(size_t)>*>(context))(index);
          HandOver(context);
        },
        count, 0, function);
    TakeOver(function);
  }
  float* AllocateFloats(size_t count) override {
    auto* memory = static_cast<float*>(allocator_.Alloc(count * sizeof(float)));
    if (memory == nullptr && count > 0) throw std::bad_alloc();
    return memory;
  }
  void FreeFloats(float* memory) noexcept override { allocator_.Free(memory); }

 private:
  const Ort::KernelContext& context_;
  Ort::Allocator allocator_;
};

inline std::vector<int64_t> ShapeOf(const Ort::ConstValue& value) {
  return value.GetTensorTypeAndShapeInfo().GetShape();
}

}  // namespace node_vae
