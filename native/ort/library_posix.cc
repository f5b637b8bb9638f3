#ifndef _WIN32
#include <dlfcn.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#else
#include <link.h>
#endif

#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/error.h"
#include "ort/library.h"

namespace node_vae {
namespace {

bool IsOnnxRuntime(const char* path) {
  const char* slash = std::strrchr(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  // Not the provider libraries (libonnxruntime_providers_…), which come with one of these.
  return std::strncmp(name, "libonnxruntime.", 15) == 0;
}

std::string LastError() {
  const char* message = dlerror();
  return message == nullptr ? "unknown reason" : message;
}

}  // namespace

const OrtApiBase* OpenOnnxRuntime(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(code::kBinding, "The ONNX Runtime library " + path + " could not be opened: " + LastError() + ".");
  }
  using GetApiBase = const OrtApiBase* (*)();
  const auto get = reinterpret_cast<GetApiBase>(dlsym(library, "OrtGetApiBase"));
  if (get == nullptr) {
    dlclose(library);
    throw Error(code::kBinding, "The library " + path + " is not ONNX Runtime: it has no function OrtGetApiBase.");
  }
  return get();
}

std::vector<std::string> LoadedOnnxRuntimes() {
  std::vector<std::string> found;
#ifdef __APPLE__
  for (uint32_t i = 0; i < _dyld_image_count(); ++i) {
    const char* name = _dyld_get_image_name(i);
    if (name != nullptr && IsOnnxRuntime(name)) found.emplace_back(name);
  }
#else
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        if (info->dlpi_name != nullptr && IsOnnxRuntime(info->dlpi_name)) {
          static_cast<std::vector<std::string>*>(data)->emplace_back(info->dlpi_name);
        }
        return 0;
      },
      &found);
#endif
  return found;
}

std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real == nullptr ? path : real.get();
}

void PinThisLibrary() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&PinThisLibrary), &info) != 0 && info.dli_fname != nullptr) {
    dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
}

}  // namespace node_vae
#endif
