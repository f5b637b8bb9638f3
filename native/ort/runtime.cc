#include "ort/runtime.h"

#include <memory>
#include <mutex>

#include "core/error.h"
#include "core/processor.h"
#include "ort/library.h"

namespace node_vae {
namespace {

struct Runtime {
  RuntimeInfo info;
  Ort::Env env{nullptr};
};

std::mutex mutex;
// Never freed: other threads may still be inside ONNX Runtime when static objects are destroyed.
Runtime* runtime = nullptr;

bool SameFile(const std::string& a, const std::string& b) { return a == b || RealPath(a) == RealPath(b); }

}  // namespace

void PrepareRuntime() {
  std::lock_guard lock(mutex);
  if (runtime != nullptr) return;
  // Empty values are released through the table of functions too, which is null before the library is open.
  static const OrtApi nothing = [] {
    OrtApi api{};
    api.ReleaseValue = [](OrtValue*) noexcept {};
    api.ReleaseSession = [](OrtSession*) noexcept {};
    api.ReleaseRunOptions = [](OrtRunOptions*) noexcept {};
    api.ReleaseMemoryInfo = [](OrtMemoryInfo*) noexcept {};
    return api;
  }();
  Ort::InitApi(&nothing);
}

const RuntimeInfo& LoadRuntime(const std::string& library_path) {
  std::lock_guard lock(mutex);
  if (runtime != nullptr) {
    if (!SameFile(runtime->info.library_path, library_path)) {
      throw Error(code::kBinding, "This process already uses the ONNX Runtime library " + runtime->info.library_path +
                                      " (version " + runtime->info.version + "); it cannot use " + library_path +
                                      " as well. One process has one ONNX Runtime.");
    }
    return runtime->info;
  }

  for (const std::string& loaded : LoadedOnnxRuntimes()) {
    if (!SameFile(loaded, library_path)) {
      throw Error(code::kBinding, "Another copy of ONNX Runtime is already loaded in this process, from " + loaded +
                                      "; node-vae was about to load " + library_path +
                                      ". Two copies in one process clash.");
    }
  }

  const OrtApiBase* base = OpenOnnxRuntime(library_path);
  const std::string version = base->GetVersionString();
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw Error(code::kBinding, "The ONNX Runtime library " + library_path + " is version " + version +
                                    ", which is too old: expected 1." + std::to_string(ORT_API_VERSION) +
                                    " or newer.");
  }
  PinThisLibrary();
  Ort::InitApi(api);

  auto made = std::make_unique<Runtime>();
  made->info.version = version;
  made->info.library_path = library_path;
  try {
    // Failures come back as exceptions; ONNX Runtime need not print them as well.
    Ort::ThreadingOptions threads;
    // 0: one for each physical core, as ONNX Runtime counts them.
    threads.SetGlobalIntraOpNumThreads(AvailableThreadsIfSaid());
    threads.SetGlobalInterOpNumThreads(1);
    threads.SetGlobalSpinControl(1);
    made->env = Ort::Env(threads, ORT_LOGGING_LEVEL_FATAL, "node-vae");
    made->env.DisableTelemetryEvents();
    made->info.providers = Ort::GetAvailableProviders();
  } catch (const Ort::Exception& error) {
    throw Error(code::kBinding, "ONNX Runtime " + version + " from " + library_path +
                                    " could not be started: " + error.what(),
                error.GetOrtErrorCode());
  }
  runtime = made.release();
  return runtime->info;
}

const RuntimeInfo& LoadedRuntime() {
  std::lock_guard lock(mutex);
  if (runtime == nullptr) {
    throw Error(code::kBinding, "The ONNX Runtime library is not loaded; call loadRuntime() first.");
  }
  return runtime->info;
}

Ort::Env& RuntimeEnv() {
  LoadedRuntime();
  return runtime->env;
}

}  // namespace node_vae
