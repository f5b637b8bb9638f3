#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#ifdef _WIN32
#include <windows.h>
#endif

namespace node_vae {

// Paths arrive from JavaScript as UTF-8; ONNX Runtime wants what the system calls a path.
#ifdef _WIN32
inline std::wstring Utf8ToWide(const std::string& text) {
  const int size = MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0);
  std::wstring wide(static_cast<size_t>(size), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), wide.data(), size);
  return wide;
}

inline std::string WideToUtf8(const std::wstring& wide) {
  const int size =
      WideCharToMultiByte(CP_UTF8, 0, wide.data(), static_cast<int>(wide.size()), nullptr, 0, nullptr, nullptr);
  std::string text(static_cast<size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, wide.data(), static_cast<int>(wide.size()), text.data(), size, nullptr, nullptr);
  return text;
}

inline std::wstring NativePath(const std::string& path) { return Utf8ToWide(path); }
#else
inline std::string NativePath(const std::string& path) { return path; }
#endif

// In bytes; 0 when there is no such file. By C functions, because C++'s bring half a megabyte along.
inline int64_t FileSize(const std::string& path) {
#ifdef _WIN32
  const std::unique_ptr<FILE, int (*)(FILE*)> file(_wfopen(NativePath(path).c_str(), L"rb"), &std::fclose);
  if (file == nullptr || _fseeki64(file.get(), 0, SEEK_END) != 0) return 0;
  const int64_t size = _ftelli64(file.get());
#else
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr || fseeko(file.get(), 0, SEEK_END) != 0) return 0;
  const int64_t size = ftello(file.get());
#endif
  return size > 0 ? size : 0;
}

}  // namespace node_vae
