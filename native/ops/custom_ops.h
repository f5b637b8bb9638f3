#pragma once

#include "ort/api.h"

namespace node_vae {

// The domain "node_vae": operators of training graphs that ONNX Runtime's own are slow at, each standing
// for a piece of standard graph (see src/grad/kernels.ts). float32, on the CPU.
OrtCustomOpDomain* CustomOps();

}  // namespace node_vae
