#pragma once

#include "ort/api.h"

namespace node_vae {

// Describes ordinary memory to ONNX Runtime. Never freed: it must outlive every thread.
inline const OrtMemoryInfo* CpuMemory() {
  static const OrtMemoryInfo* const info = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault).release();
  return info;
}

}  // namespace node_vae
