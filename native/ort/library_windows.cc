#ifdef _WIN32
#include <windows.h>

#include "core/error.h"
#include "ort/library.h"
#include "ort/path.h"

namespace node_vae {

const OrtApiBase* OpenOnnxRuntime(const std::string& path) {
  const std::wstring wide = Utf8ToWide(path);
  HMODULE library = LoadLibraryExW(wide.c_str(), nullptr,
                                   LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
  if (library == nullptr) {
    throw Error(code::kBinding, "The ONNX Runtime library " + path + " could not be opened: Windows error " +
                                    std::to_string(GetLastError()) + ".");
  }
  using GetApiBase = const OrtApiBase*(__stdcall*)();
  const auto get = reinterpret_cast<GetApiBase>(GetProcAddress(library, "OrtGetApiBase"));
  if (get == nullptr) {
    FreeLibrary(library);
    throw Error(code::kBinding, "The library " + path + " is not ONNX Runtime: it has no function OrtGetApiBase.");
  }
  return get();
}

std::vector<std::string> LoadedOnnxRuntimes() {
  HMODULE library = GetModuleHandleW(L"onnxruntime.dll");
  if (library == nullptr) return {};
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(library, path.data(), static_cast<DWORD>(path.size())));
  return {WideToUtf8(path)};
}

std::string RealPath(const std::string& path) {
  const std::wstring wide = Utf8ToWide(path);
  std::wstring full(32768, L'\0');
  const DWORD length = GetFullPathNameW(wide.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr);
  if (length == 0 || length >= full.size()) return path;
  full.resize(length);
  CharLowerBuffW(full.data(), length);
  return WideToUtf8(full);
}

void PinThisLibrary() {
  HMODULE self = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&PinThisLibrary), &self);
}

}  // namespace node_vae
#endif
