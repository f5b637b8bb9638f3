#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace node_vae {

// The codes of src/core/errors.ts that native code raises.
namespace code {
inline constexpr const char* kOption = "ERR_VAE_OPTION";
inline constexpr const char* kShape = "ERR_VAE_SHAPE";
inline constexpr const char* kData = "ERR_VAE_DATA";
inline constexpr const char* kGraph = "ERR_VAE_GRAPH";
inline constexpr const char* kBinding = "ERR_VAE_BINDING";
inline constexpr const char* kRuntime = "ERR_VAE_RUNTIME";
inline constexpr const char* kFormat = "ERR_VAE_FORMAT";
inline constexpr const char* kIo = "ERR_VAE_IO";
inline constexpr const char* kBusy = "ERR_VAE_BUSY";
inline constexpr const char* kDisposed = "ERR_VAE_DISPOSED";
// Not shown to users: src/binding turns it into the signal's reason.
inline constexpr const char* kAborted = "ERR_VAE_ABORTED";
}  // namespace code

// What native code throws; native/binding turns it into a JavaScript error once, at the edge.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message, int ort_code = 0)
      : std::runtime_error(message), code_(code), ort_code_(ort_code) {}

  const char* code() const noexcept { return code_; }
  int ort_code() const noexcept { return ort_code_; }

 private:
  const char* code_;  // always one of the literals above
  int ort_code_;
};

}  // namespace node_vae
