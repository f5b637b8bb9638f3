#include "binding/read_files.h"

#ifndef _WIN32

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "binding/coder_values.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/state.h"
#include "core/error.h"

namespace node_vae {
namespace {

struct Facts {
  double size = -1;  // -1: no ordinary file, or one that could not be looked at
  int64_t changed = 0;
  double length = -1;  // -1: not read
};

template <typename Call>
auto Uninterrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

#ifdef STATX_TYPE
// The C library's own names of stat() ask for a newer one than this addon does (core/glibc_floor.cc).
void Look(int folder, const char* path, int flags, Facts& facts) {
  struct statx found;
  if (Uninterrupted([&] { return statx(folder, path, flags, STATX_TYPE | STATX_SIZE | STATX_MTIME, &found); }) != 0) {
    return;
  }
  if (!S_ISREG(found.stx_mode)) return;
  facts.size = static_cast<double>(found.stx_size);
  facts.changed = found.stx_mtime.tv_sec * 1000000000 + found.stx_mtime.tv_nsec;
}
void LookAt(const char* path, Facts& facts) { Look(AT_FDCWD, path, 0, facts); }
void LookAt(int file, Facts& facts) { Look(file, "", AT_EMPTY_PATH, facts); }
#else
void Take(const struct stat& found, Facts& facts) {
  if (!S_ISREG(found.st_mode)) return;
#ifdef __APPLE__
  const timespec& time = found.st_mtimespec;
#else
  const timespec& time = found.st_mtim;
#endif
  facts.size = static_cast<double>(found.st_size);
  facts.changed = static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}
void LookAt(const char* path, Facts& facts) {
  struct stat found;
  if (Uninterrupted([&] { return stat(path, &found); }) == 0) Take(found, facts);
}
void LookAt(int file, Facts& facts) {
  struct stat found;
  if (fstat(file, &found) == 0) Take(found, facts);
}
#endif

// Many small files in one task: each by itself would wake a thread, and the thread that waits for it, four times.
class ReadFilesJob : public Job {
 public:
  explicit ReadFilesJob(const Napi::CallbackInfo& info) {
    const ArrayView names = ViewKind(info.Env(), info[0], napi_uint8_array, "readFiles(paths)");
    paths_.assign(static_cast<const char*>(names.data), names.count);
    if (!paths_.empty() && paths_.back() != '\0') {
      throw Error(code::kOption, "readFiles(paths): expected a zero byte behind each path.");
    }
    most_ = ToCount(info.Env(), info[1], "readFiles(most)");
    for (const char byte : paths_) count_ += byte == '\0';
  }

  void Work(WorkerSlot& slot) override {
    facts_.reserve(count_);
    for (size_t at = 0; at < paths_.size(); at += std::strlen(&paths_[at]) + 1) {
      Facts& facts = facts_.emplace_back();
      if (slot.stop) continue;
      if (most_ == 0) {
        LookAt(&paths_[at], facts);
      } else {
        Read(&paths_[at], facts);
      }
    }
  }

  napi_value Result(napi_env env) override {
    napi_value bytes;
    uint8_t* own = NewBytes(env, bytes_.size(), &bytes);
    if (!bytes_.empty()) std::memcpy(own, bytes_.data(), bytes_.size());
    auto sizes = Napi::Float64Array::New(env, facts_.size());
    auto lengths = Napi::Float64Array::New(env, facts_.size());
    auto changed = Napi::BigInt64Array::New(env, facts_.size());
    for (size_t i = 0; i < facts_.size(); ++i) {
      sizes.Data()[i] = facts_[i].size;
      lengths.Data()[i] = facts_[i].length;
      changed.Data()[i] = facts_[i].changed;
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("sizes", sizes);
    result.Set("lengths", lengths);
    result.Set("changed", changed);
    result.Set("bytes", bytes);
    return result;
  }

 private:
  void Read(const char* path, Facts& facts) {
    // Opening what is no file, such as a pipe, must not wait.
    const int file = Uninterrupted([&] { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
    if (file == -1) return;
    LookAt(file, facts);
    if (facts.size >= 0 && facts.size <= static_cast<double>(most_)) {
      const size_t begin = bytes_.size();
      const size_t size = static_cast<size_t>(facts.size);
      bytes_.resize(begin + size);
      size_t length = 0;
      while (length < size) {
        const ssize_t count =
            Uninterrupted([&] { return pread(file, &bytes_[begin + length], size - length, static_cast<off_t>(length)); });
        if (count <= 0) {
          if (count == -1) length = size + 1;
          break;
        }
        length += static_cast<size_t>(count);
      }
      if (length <= size) facts.length = static_cast<double>(length);
      bytes_.resize(begin + (length <= size ? length : 0));
    }
    close(file);
  }

  std::string paths_;
  size_t count_ = 0;
  size_t most_ = 0;
  std::vector<Facts> facts_;
  std::vector<uint8_t> bytes_;
};

}  // namespace

Napi::Value ReadFiles(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    return Napi::Value(env, AddonState::Of(env).files.Submit(std::make_unique<ReadFilesJob>(info)));
  });
}

}  // namespace node_vae

#endif
