#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace node_vae {

// Threads for work that takes microseconds: helpers spin for the next, and sleep when none comes for a while.
class SpinTeam {
 public:
  // `size` counts the caller.
  explicit SpinTeam(int size);
  ~SpinTeam();
  SpinTeam(const SpinTeam&) = delete;
  SpinTeam& operator=(const SpinTeam&) = delete;

  // One caller at a time: holds the team for some loops, or finds that another thread has it.
  class Turn {
   public:
    explicit Turn(SpinTeam* team) noexcept : team_(team) {
      if (team_ != nullptr && team_->busy_.exchange(true, std::memory_order_acquire)) team_ = nullptr;
    }
    ~Turn() {
      if (team_ != nullptr) team_->busy_.store(false, std::memory_order_release);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // Calls body(0) on this thread and body(part) on up to `helpers` others, if they come in time: what they
    // have not begun when this thread's part is done, they do not begin. `body` must not throw.
    template <typename Body>
    void Run(int helpers, const Body& body) {
      if (team_ == nullptr) {
        body(0);
      } else {
        team_->Run(helpers, [](const void* context, int part) { (*static_cast<const Body*>(context))(part); }, &body);
      }
    }

   private:
    SpinTeam* team_;
  };

 private:
  using Invoke = void (*)(const void* context, int part);

  // What happened to a helper's part in this round.
  enum : uint64_t { kOffered, kBegun, kDone, kTakenBack, kStates };

  struct alignas(64) Helper {
    std::atomic<uint64_t> state{kDone};  // round * kStates + what happened
    std::thread thread;
  };

  void Run(int helpers, Invoke invoke, const void* context);
  void Help(Helper& helper, int part);

  std::vector<std::unique_ptr<Helper>> helpers_;
  std::atomic<bool> busy_{false};
  uint64_t round_ = 0;               // the caller's
  Invoke invoke_ = nullptr;          // set before a part is offered
  const void* context_ = nullptr;    // likewise
  std::atomic<int> caller_{-1};  // the caller's processor
  std::atomic<int> asleep_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stop_{false};
};

}  // namespace node_vae
