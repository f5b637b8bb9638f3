#pragma once

#include <string>
#include <vector>

struct OrtApiBase;

namespace node_vae {

// Opens the shared library at an absolute path, never to be closed, and returns its OrtGetApiBase().
// Throws Error(ERR_VAE_BINDING).
const OrtApiBase* OpenOnnxRuntime(const std::string& path);

// Paths of the ONNX Runtime libraries that this process has loaded, by whomever.
std::vector<std::string> LoadedOnnxRuntimes();

// Without links and dots; the path itself where that fails.
std::string RealPath(const std::string& path);

// Keeps this addon in memory until the process ends: the runtime's environment outlives the last
// Node environment that used it.
void PinThisLibrary();

}  // namespace node_vae
