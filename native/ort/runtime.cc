#include "ort/runtime.h"

#include <cstring>
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

// The functions that the C++ classes of ONNX Runtime call. These go through one table from first to last, as other
// threads may be releasing empty values, which take no library, while this one opens it: the functions that do that are
// written once, before anything runs, and all others before anybody can know that the library is there.
OrtApi table{};
const OrtApi* library = nullptr;

void FillTable(const OrtApi* api) {
  library = api;
  OrtApi whole = *api;
  whole.ReleaseValue = table.ReleaseValue;
  whole.ReleaseSession = table.ReleaseSession;
  whole.ReleaseRunOptions = table.ReleaseRunOptions;
  whole.ReleaseMemoryInfo = table.ReleaseMemoryInfo;
  using Function = void (*)();
  static_assert(sizeof(OrtApi) % sizeof(Function) == 0);
  for (size_t at = 0; at < sizeof(OrtApi); at += sizeof(Function)) {
    char* own = reinterpret_cast<char*>(&table) + at;
    const char* other = reinterpret_cast<const char*>(&whole) + at;
    if (std::memcmp(own, other, sizeof(Function)) != 0) std::memcpy(own, other, sizeof(Function));
  }
}

bool SameFile(const std::string& a, const std::string& b) { return a == b || RealPath(a) == RealPath(b); }

}  // namespace

void PrepareRuntime() {
  static std::once_flag once;
  std::call_once(once, [] {
    table.ReleaseValue = [](OrtValue* it) noexcept { if (it != nullptr) library->ReleaseValue(it); };
    table.ReleaseSession = [](OrtSession* it) noexcept { if (it != nullptr) library->ReleaseSession(it); };
    table.ReleaseRunOptions = [](OrtRunOptions* it) noexcept { if (it != nullptr) library->ReleaseRunOptions(it); };
    table.ReleaseMemoryInfo = [](OrtMemoryInfo* it) noexcept { if (it != nullptr) library->ReleaseMemoryInfo(it); };
    Ort::InitApi(&table);
  });
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
  FillTable(api);

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
