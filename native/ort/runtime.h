#pragma once

#include <string>
#include <vector>

#include "ort/api.h"

namespace node_vae {

struct RuntimeInfo {
  std::string version;
  std::string library_path;
  // Execution providers compiled into the library, by ONNX Runtime's names.
  std::vector<std::string> providers;
};

// Opens the library and makes the environment, once per process; later calls with the same path
// return the same. Throws Error(ERR_VAE_BINDING).
const RuntimeInfo& LoadRuntime(const std::string& library_path);

// Until then, empty values of the C++ interface can be let go of. Called by whoever makes such values first.
void PrepareRuntime();

// The process's environment. Throws Error(ERR_VAE_BINDING) before LoadRuntime().
Ort::Env& RuntimeEnv();
const RuntimeInfo& LoadedRuntime();

}  // namespace node_vae
