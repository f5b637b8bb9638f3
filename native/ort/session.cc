#include "ort/session.h"

#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/processor.h"
#include "ort/path.h"
#include "ort/runtime.h"

namespace node_vae {
namespace {

// Whether the environment has threads to share. ONNX Runtime has one environment in a process, which whoever comes
// first makes: onnxruntime-node makes it without, and nothing but a refused session tells.
std::atomic<bool> environment_has_threads{true};

Ort::SessionOptions MakeOptions(const SessionConfig& config, bool share_threads) {
  Ort::SessionOptions options;
  if (share_threads) {
    // All such sessions share the environment's threads: ten models need no more than one does.
    options.DisablePerSessionThreads();
  } else {
    options.SetIntraOpNumThreads(config.intra_op_threads == 0 ? AvailableThreadsIfSaid() : config.intra_op_threads);
  }
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(static_cast<GraphOptimizationLevel>(config.optimization_level));
  options.AddConfigEntry(kOrtSessionOptionsConfigAllowIntraOpSpinning, config.spin ? "1" : "0");
  if (config.stop_spinning_after_run) options.AddConfigEntry(kOrtSessionOptionsConfigForceSpinningStop, "1");
  if (!config.profile_prefix.empty()) options.EnableProfiling(NativePath(config.profile_prefix).c_str());
  if (!config.optimized_model_path.empty()) {
    options.SetOptimizedModelFilePath(NativePath(config.optimized_model_path).c_str());
  }
  if (!config.keep_memory) options.DisableCpuMemArena().DisableMemPattern();
  if (config.custom_ops != nullptr) options.Add(config.custom_ops);
  AppendProviders(options, config.providers);
  return options;
}

ValueInfo Describe(std::string name, const Ort::TypeInfo& type, const char* role) {
  ValueInfo info;
  info.name = std::move(name);
  const auto fail = [&](const std::string& what) {
    throw Error(code::kGraph, std::string("The model's ") + role + " '" + info.name + "' is " + what +
                                  "; expected a dense tensor.");
  };
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) fail("a sequence, map, optional or sparse tensor");
  const Ort::ConstTensorTypeAndShapeInfo tensor = type.GetTensorTypeAndShapeInfo();
  info.type = FindElementType(tensor.GetElementType());
  if (info.type == nullptr) fail("of an element type without an equivalent in JavaScript");
  info.dims = tensor.GetShape();
  for (const char* symbol : tensor.GetSymbolicDimensions()) info.symbols.emplace_back(symbol);
  for (size_t i = 0; i < info.dims.size(); ++i) {
    if (info.dims[i] < 0) info.dims[i] = -1;
  }
  return info;
}

const char* LoadErrorCode(OrtErrorCode reason) noexcept {
  switch (reason) {
    case ORT_NO_SUCHFILE:
      return code::kIo;
    case ORT_NO_MODEL:
    case ORT_INVALID_PROTOBUF:
      return code::kFormat;
    case ORT_INVALID_GRAPH:
    case ORT_NOT_IMPLEMENTED:
    case ORT_INVALID_ARGUMENT:
    case ORT_FAIL:
      return code::kGraph;
    default:
      return code::kRuntime;
  }
}

int Find(const std::vector<ValueInfo>& values, const std::string& name) noexcept {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

// Throws Error for a model that ONNX Runtime refuses.
template <typename Work>
void Refusing(const ModelSource& model, Work&& work) {
  try {
    work();
  } catch (const Ort::Exception& error) {
    if (std::strstr(error.what(), "Error creating execution provider") != nullptr) {
      throw Error(code::kBinding,
                  std::string("The execution provider could not be started: it found no device that it can use. Install the "
                              "driver of the card (Vulkan, Direct3D 12, Metal or CUDA, by provider), choose another device, or "
                              "use provider 'cpu'. ONNX Runtime says: ") +
                      error.what(),
                  error.GetOrtErrorCode());
    }
    const auto* path = std::get_if<std::string>(&model);
    const std::string what = path != nullptr ? *path : std::string("from memory");
    throw Error(LoadErrorCode(error.GetOrtErrorCode()), "The model " + what + " could not be loaded: " + error.what(),
                error.GetOrtErrorCode());
  }
}

bool SameNames(const std::vector<ValueInfo>& values, const std::vector<std::string>& names) {
  return std::ranges::equal(values, names, {}, &ValueInfo::name);
}

}  // namespace

int64_t ModelSize(const ModelSource& model) {
  if (const auto* bytes = std::get_if<ModelBytes>(&model)) return static_cast<int64_t>(bytes->size);
  return FileSize(std::get<std::string>(model));
}

Session::Session(const ModelSource& model, const SessionConfig& config)
    : profiling_(!config.profile_prefix.empty()), keeps_memory_(config.keep_memory) {
  Refusing(model, [&] {
    Open(model, config);
    const size_t input_count = session_.GetInputCount();
    const std::vector<std::string> input_names = session_.GetInputNames();
    for (size_t i = 0; i < input_count; ++i) {
      inputs_.push_back(Describe(input_names[i], session_.GetInputTypeInfo(i), "input"));
    }
    const std::vector<std::string> output_names = session_.GetOutputNames();
    for (size_t i = 0; i < output_names.size(); ++i) {
      outputs_.push_back(Describe(output_names[i], session_.GetOutputTypeInfo(i), "output"));
    }
  });
  opened_.store(true, std::memory_order_release);
}

Session::Session(ModelBytes model, SessionConfig config, Deferral deferral)
    : inputs_(std::move(deferral.inputs)), outputs_(std::move(deferral.outputs)) {
  const auto* data = static_cast<const char*>(model.data);
  deferred_ = Deferred{std::move(config), std::move(deferral.library), std::vector<char>(data, data + model.size)};
}

void Session::OpenDeferred() const {
  std::lock_guard lock(opening_);
  if (opened_.load(std::memory_order_acquire)) return;
  LoadRuntime(deferred_->library);
  const ModelSource model = ModelBytes{deferred_->bytes.data(), deferred_->bytes.size()};
  Refusing(model, [&] {
    Open(model, deferred_->config);
    if (!SameNames(inputs_, session_.GetInputNames()) || !SameNames(outputs_, session_.GetOutputNames())) {
      throw Error(code::kGraph, "ONNX Runtime gives the model other inputs and outputs than it was described with.");
    }
  });
  opened_.store(true, std::memory_order_release);
  deferred_.reset();
}

void Session::Open(const ModelSource& model, const SessionConfig& config) const {
  Ort::Env& env = RuntimeEnv();
  device_ = DeviceMemoryOf(config.providers);
  const auto open = [&](bool share_threads) {
    const Ort::SessionOptions options = MakeOptions(config, share_threads);
    if (const auto* path = std::get_if<std::string>(&model)) {
      session_ = Ort::Session(env, NativePath(*path).c_str(), options);
    } else {
      const auto& bytes = std::get<ModelBytes>(model);
      if (bytes.size == 0) throw Error(code::kFormat, "The model is empty: 0 bytes.");
      session_ = Ort::Session(env, bytes.data, bytes.size, options);
    }
  };
  const bool share_threads = config.intra_op_threads == 0 && config.spin && environment_has_threads.load();
  try {
    open(share_threads);
  } catch (const Ort::Exception& error) {
    if (!share_threads || std::strstr(error.what(), "GlobalThreadPool") == nullptr) throw;
    environment_has_threads.store(false);
    open(false);
  }
}

int Session::FindInput(const std::string& name) const noexcept { return Find(inputs_, name); }
int Session::FindOutput(const std::string& name) const noexcept { return Find(outputs_, name); }

std::string Session::EndProfiling() {
  if (!profiling_) {
    throw Error(code::kRuntime, "This session is not profiling; create it with the option profilePrefix.");
  }
  profiling_ = false;
  Ort::AllocatorWithDefaultOptions allocator;
  return session_.EndProfilingAllocated(allocator).get();
}

namespace {

// What users can do, by what providers write; empty where nothing is known.
std::string Remedy(std::string_view said) {
  const auto says = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(words, [&](std::string_view word) { return said.find(word) != std::string_view::npos; });
  };
  if (says({"DeviceLost", "device lost", "Device lost", "device is lost", "Device is lost", "device removed",
            "DXGI_ERROR_DEVICE", "cudaErrorIllegalAddress", "unspecified launch failure"})) {
    return " The device was lost; what is saved is safe. Close this model and load it again, or go on with provider 'cpu'.";
  }
  if (says({"out of memory", "Out of memory", "OutOfMemory", "OUT_OF_MEMORY", "Failed to allocate memory",
            "ALLOC_FAILED", "bad allocation", "bad_alloc", "[Invalid Buffer"})) {
    return " There was too little memory: use smaller batches or pieces, let go of other models, or go on with provider "
           "'cpu'.";
  }
  return {};
}

}  // namespace

void ThrowRuntimeError(const Ort::Exception& error, const std::string& doing) {
  throw Error(code::kRuntime, doing + " failed: " + error.what() + Remedy(error.what()), error.GetOrtErrorCode());
}

}  // namespace node_vae
