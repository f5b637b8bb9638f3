#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ort/api.h"

namespace node_vae {

struct ProviderChoice {
  std::string name;  // short name: cpu, cuda, …
  std::vector<std::pair<std::string, std::string>> options;
  // A plugin that has it, and the number of the device among those that it offers; empty: part of ONNX Runtime.
  std::string library;
  size_t device = 0;
};

// Adds the providers in order of preference. Throws Error(ERR_VAE_OPTION) for an unknown name and
// Error(ERR_VAE_BINDING) for one that this library does not have.
void AppendProviders(Ort::SessionOptions& options, const std::vector<ProviderChoice>& providers);

}  // namespace node_vae
