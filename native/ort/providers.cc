#include "ort/providers.h"

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "core/error.h"
#include "ort/plugins.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

struct Provider {
  const char* name;      // ours
  const char* ort_name;  // in GetAvailableProviders()
  const char* key;       // in SessionOptionsAppendExecutionProvider(); nullptr: it has a function of its own
};

constexpr Provider kProviders[] = {
    {"cpu", "CPUExecutionProvider", nullptr},
    {"cuda", "CUDAExecutionProvider", nullptr},
    {"tensorrt", "TensorrtExecutionProvider", nullptr},
    {"coreml", "CoreMLExecutionProvider", "CoreML"},
    {"dml", "DmlExecutionProvider", "DML"},
    {"openvino", "OpenVINOExecutionProvider", "OpenVINO"},
    {"qnn", "QNNExecutionProvider", "QNN"},
    {"webgpu", "WebGpuExecutionProvider", "WebGPU"},
    {"xnnpack", "XnnpackExecutionProvider", "XNNPACK"},
};

// Keys and values as the arrays of C strings that the C functions take.
struct KeyValues {
  std::vector<const char*> keys;
  std::vector<const char*> values;

  explicit KeyValues(const ProviderChoice& choice) {
    for (const auto& [key, value] : choice.options) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
  }
};

void AppendCuda(Ort::SessionOptions& options, const ProviderChoice& choice) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&made));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> owned(
      made, api.ReleaseCUDAProviderOptions);
  const KeyValues pairs(choice);
  Ort::ThrowOnError(api.UpdateCUDAProviderOptions(made, pairs.keys.data(), pairs.values.data(), pairs.keys.size()));
  options.AppendExecutionProvider_CUDA_V2(*made);
}

void AppendTensorRt(Ort::SessionOptions& options, const ProviderChoice& choice) {
  const OrtApi& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&made));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)> owned(
      made, api.ReleaseTensorRTProviderOptions);
  const KeyValues pairs(choice);
  Ort::ThrowOnError(api.UpdateTensorRTProviderOptions(made, pairs.keys.data(), pairs.values.data(), pairs.keys.size()));
  options.AppendExecutionProvider_TensorRT_V2(*made);
}

void AppendPlugin(Ort::SessionOptions& options, const ProviderChoice& choice) {
  const Ort::ConstEpDevice device = FindPluginDevice(choice.library, choice.device);
  try {
    options.AppendExecutionProvider_V2(
        RuntimeEnv(), {device},
        std::unordered_map<std::string, std::string>(choice.options.begin(), choice.options.end()));
  } catch (const Ort::Exception& error) {
    throw Error(code::kBinding, "Execution provider '" + choice.name + "' of " + choice.library +
                                    " could not be started: " + error.what(),
                error.GetOrtErrorCode());
  }
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

void AppendProviders(Ort::SessionOptions& options, const std::vector<ProviderChoice>& providers) {
  for (const ProviderChoice& choice : providers) {
    if (!choice.library.empty()) {
      AppendPlugin(options, choice);
      continue;
    }
    const auto* known = std::find_if(std::begin(kProviders), std::end(kProviders),
                                     [&](const Provider& provider) { return choice.name == provider.name; });
    if (known == std::end(kProviders)) {
      std::vector<std::string> names;
      for (const Provider& provider : kProviders) names.emplace_back(provider.name);
      throw Error(code::kOption, "Unknown execution provider '" + choice.name + "'; expected one of " + Join(names) + ".");
    }
    const RuntimeInfo& runtime = LoadedRuntime();
    if (std::find(runtime.providers.begin(), runtime.providers.end(), known->ort_name) == runtime.providers.end()) {
      throw Error(code::kBinding, "Execution provider '" + choice.name + "' (" + known->ort_name +
                                      ") is not in the ONNX Runtime library " + runtime.library_path +
                                      ", which has: " + Join(runtime.providers) + ".");
    }
    const std::string_view name = choice.name;
    if (name == "cpu") continue;  // always there, always last
    try {
      if (name == "cuda") {
        AppendCuda(options, choice);
      } else if (name == "tensorrt") {
        AppendTensorRt(options, choice);
      } else {
        options.AppendExecutionProvider(
            known->key, std::unordered_map<std::string, std::string>(choice.options.begin(), choice.options.end()));
      }
    } catch (const Ort::Exception& error) {
      throw Error(code::kBinding, "Execution provider '" + choice.name + "' could not be started: " + error.what(),
                  error.GetOrtErrorCode());
    }
  }
}

}  // namespace node_vae
