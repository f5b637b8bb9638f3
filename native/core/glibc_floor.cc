// Lets the addon run on systems with an older C library than the one it was built with. glibc keeps
// the old versions of functions that moved or changed in 2.29 to 2.35; the linker would pick the
// newest. CMakeLists.txt wraps each function listed here (--wrap), and the wrapper calls the oldest.
#ifdef NODE_VAE_GLIBC_FLOOR

#include <cstddef>

#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#else
#error "Add this processor's oldest glibc version."
#endif

#define WRAP(result, name, parameters, arguments)                  \
  __asm__(".symver oldest_" #name ", " #name "@" OLDEST);          \
  extern "C" result oldest_##name parameters;                      \
  extern "C" __attribute__((visibility("hidden"))) result __wrap_##name parameters; \
  extern "C" result __wrap_##name parameters { return oldest_##name arguments; }

WRAP(double, pow, (double base, double exponent), (base, exponent))
WRAP(void*, dlopen, (const char* path, int mode), (path, mode))
WRAP(void*, dlsym, (void* library, const char* name), (library, name))
WRAP(int, dlclose, (void* library), (library))
WRAP(char*, dlerror, (), ())
WRAP(int, dladdr, (const void* address, void* info), (address, info))
WRAP(int, pthread_create, (void* thread, const void* attributes, void* (*start)(void*), void* argument),
     (thread, attributes, start, argument))
WRAP(int, pthread_join, (unsigned long thread, void** result), (thread, result))
WRAP(int, pthread_once, (void* control, void (*routine)()), (control, routine))
WRAP(int, __pthread_key_create, (void* key, void (*destructor)(void*)), (key, destructor))

// libstdc++ asks this variable of glibc 2.32 whether it may leave atomics out. It may not.
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded = 0;

#endif
