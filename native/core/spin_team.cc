#include "core/spin_team.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "core/pause.h"
#include "core/processor.h"
#include "core/thread_name.h"

namespace node_vae {
namespace {

constexpr auto kSpin = std::chrono::microseconds(100);

// Gives way to a thread that waits for this processor: it may be the one that this thread waits for.
void Relax() noexcept {
  for (int i = 0; i < 16; ++i) SpinPause();
  std::this_thread::yield();
}

}  // namespace

SpinTeam::SpinTeam(int size) {
  for (int part = 1; part < size; ++part) {
    auto helper = std::make_unique<Helper>();
    try {
      helper->thread = std::thread([this, helper = helper.get(), part] { Help(*helper, part); });
    } catch (const std::system_error&) {
      return;  // a smaller team
    }
    helpers_.push_back(std::move(helper));
  }
}

SpinTeam::~SpinTeam() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (auto& helper : helpers_) helper->thread.join();
}

void SpinTeam::Run(int helpers, Invoke invoke, const void* context) {
  invoke_ = invoke;
  context_ = context;
  caller_.store(CurrentProcessor(), std::memory_order_relaxed);
  const size_t count = std::min(helpers_.size(), static_cast<size_t>(helpers));
  const uint64_t offered = ++round_ * kStates + kOffered;
  for (size_t i = 0; i < count; ++i) helpers_[i]->state.store(offered);
  if (asleep_.load() > 0) {
    { std::lock_guard lock(mutex_); }  // one that is about to sleep either saw the offer or is woken
    wake_.notify_all();
  }
  invoke(context, 0);
  for (size_t i = 0; i < count; ++i) {
    std::atomic<uint64_t>& state = helpers_[i]->state;
    uint64_t expected = offered;
    if (state.compare_exchange_strong(expected, offered + kTakenBack)) continue;
    for (int turns = 0; state.load(std::memory_order_acquire) != offered + kDone; ++turns) {
      SpinPause();
      if (turns % 256 == 255) std::this_thread::yield();
    }
  }
}

void SpinTeam::Help(Helper& helper, int part) {
  NameThread("node-vae spin");
  auto until = std::chrono::steady_clock::now() + kSpin;
  while (!stop_.load(std::memory_order_relaxed)) {
    uint64_t seen = helper.state.load(std::memory_order_acquire);
    const int processor = CurrentProcessor();
    if (processor >= 0 && processor == caller_.load(std::memory_order_relaxed)) LeaveProcessor(processor);
    if (seen % kStates == kOffered) {
      if (helper.state.compare_exchange_strong(seen, seen + kBegun)) {
        invoke_(context_, part);
        helper.state.store(seen + kDone, std::memory_order_release);
      }
      until = std::chrono::steady_clock::now() + kSpin;
      continue;
    }
    Relax();
    if (std::chrono::steady_clock::now() < until) continue;
    std::unique_lock lock(mutex_);
    asleep_.fetch_add(1);
    wake_.wait(lock, [&] { return stop_.load() || helper.state.load() % kStates == kOffered; });
    asleep_.fetch_sub(1);
    until = std::chrono::steady_clock::now() + kSpin;
  }
}

}  // namespace node_vae
