#include "core/thread_team.h"

#include <algorithm>
#include <system_error>

#include "core/pause.h"
#include "core/processor.h"
#include "core/thread_name.h"

namespace node_vae {

ThreadTeam::ThreadTeam(int threads) {
  if (threads <= 0) {
    threads = std::clamp(AvailableThreads(), 1, kMaxDefault);
  }
  try {
    for (int i = 1; i < threads; ++i) helpers_.emplace_back([this] { Help(); });
  } catch (const std::system_error&) {
    // Those that could be started do.
  }
}

ThreadTeam::~ThreadTeam() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& helper : helpers_) helper.join();
}

void ThreadTeam::Run(size_t count, Invoke invoke, const void* context) {
  if (count <= 1 || helpers_.empty()) {
    for (size_t i = 0; i < count; ++i) invoke(context, i);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    invoke_ = invoke;
    context_ = context;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    open_ = true;
    ++round_;
  }
  wake_.notify_all();
  Drain();
  {
    // A helper that wakes after the work is done must not hold up the caller: it is turned away.
    std::lock_guard lock(mutex_);
    open_ = false;
  }
  while (working_.load(std::memory_order_acquire) != 0) SpinPause();
}

void ThreadTeam::Help() {
  NameThread("node-vae team");
  uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || (open_ && round_ != seen); });
      if (stop_) return;
      seen = round_;
      working_.fetch_add(1, std::memory_order_relaxed);
    }
    Drain();
    working_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadTeam::Drain() {
  const size_t count = count_;
  for (size_t i = next_.fetch_add(1, std::memory_order_relaxed); i < count;
       i = next_.fetch_add(1, std::memory_order_relaxed)) {
    invoke_(context_, i);
  }
}

}  // namespace node_vae
