#include "binding/file_lock.h"

#include "binding/errors.h"
#include "core/error.h"

#ifdef _WIN32
#include <windows.h>
// Of libuv, which Node exports: the handle behind one of its file descriptors.
extern "C" void* uv_get_osfhandle(int descriptor);
#else
#include <sys/file.h>

#include <cerrno>
#endif

namespace node_vae {
namespace {

// The lock ends with the last descriptor of this opening of the file, and so with the process, however that ends.
const char* TryLock(int descriptor) {
#ifdef _WIN32
  // Far beyond any file's end: on Windows a locked range could not be read by others.
  OVERLAPPED place = {};
  place.OffsetHigh = 0x40000000;
  HANDLE file = uv_get_osfhandle(descriptor);
  if (LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place)) return "held";
  return GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING ? "taken" : "unsupported";
#else
  for (;;) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return "held";
    if (errno == EINTR) continue;
    return errno == EWOULDBLOCK || errno == EACCES ? "taken" : "unsupported";
  }
#endif
}

}  // namespace

Napi::Value LockFile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    if (!info[0].IsNumber()) throw Error(code::kOption, "lockFile(descriptor): expected a number.");
    return Napi::String::New(env, TryLock(info[0].As<Napi::Number>().Int32Value()));
  });
}

}  // namespace node_vae
