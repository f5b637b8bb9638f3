#pragma once

#if defined(__linux__)
#include <sys/prctl.h>
#elif defined(__APPLE__)
#include <pthread.h>
#endif

namespace node_vae {

// Names the calling thread for debuggers and `top -H`; at most 15 characters.
inline void NameThread([[maybe_unused]] const char* name) noexcept {
#if defined(__linux__)
  prctl(PR_SET_NAME, name, 0, 0, 0);
#elif defined(__APPLE__)
  pthread_setname_np(name);
#endif
}

}  // namespace node_vae
