#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

// Tells ThreadSanitizer of what a thread pool orders that is not built with it, as ONNX Runtime's is not: what was
// done before HandOver(at) is done before what follows TakeOver(at). Nothing in other builds.
namespace node_vae {

inline void HandOver([[maybe_unused]] void* at) noexcept {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(at);
#endif
}

inline void TakeOver([[maybe_unused]] void* at) noexcept {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(at);
#endif
}

}  // namespace node_vae
