#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace node_vae {

// A fixed group of threads that share the indices of a loop. The caller is one of them. One loop at
// a time; which thread takes which index is not fixed, so results must not depend on it.
class ThreadTeam {
 public:
  // `threads` counts the caller; 0 means one per processor, at most kMaxDefault.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const noexcept { return static_cast<int>(helpers_.size()) + 1; }

  // Calls body(i) for every i in [0, count). `body` must not throw.
  template <typename Body>
  void For(size_t count, const Body& body) {
    Run(count, [](const void* context, size_t index) { (*static_cast<const Body*>(context))(index); }, &body);
  }

 private:
  using Invoke = void (*)(const void* context, size_t index);

  // These loops move memory; more threads than this wait for it.
  static constexpr int kMaxDefault = 8;

  void Run(size_t count, Invoke invoke, const void* context);
  void Help();
  void Drain();

  std::vector<std::thread> helpers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  uint64_t round_ = 0;  // guarded by mutex_
  bool open_ = false;   // guarded by mutex_: helpers may still join this round
  bool stop_ = false;   // guarded by mutex_
  Invoke invoke_ = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  std::atomic<int> working_{0};  // helpers inside this round
};

}  // namespace node_vae
