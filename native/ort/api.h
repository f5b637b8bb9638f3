#pragma once

// The one way to include ONNX Runtime: the library is opened at run time, so nothing may be called
// before LoadRuntime() (ort/runtime.h) has set the function table.
#ifndef ORT_API_MANUAL_INIT
#error "Compile with ORT_API_MANUAL_INIT: the addon does not link ONNX Runtime."
#endif
#include <onnxruntime_cxx_api.h>
