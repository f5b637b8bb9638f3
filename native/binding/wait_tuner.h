#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace node_vae {

// How the two threads of a run wait for each other. Spinning saves waking a thread, which takes as
// long as a small model's run; but where processors are scarce it takes them from the work itself.
enum class Wait : uint8_t {
  kSleep,      // both sleep until woken
  kSpinWorker, // the worker spins for the next run; the JavaScript thread sleeps
  kSpinBoth,   // the JavaScript thread polls for the end of the run as well
};
inline constexpr size_t kWaits = 3;

// Finds out by trying which way is fastest for runs of one shape on this machine as it is now: each
// way in turn at first, then the best, with another look at the others now and then.
class WaitTuner {
 public:
  // The way for the next run.
  Wait Choose() noexcept;
  // How long a run took, from call to result.
  void Record(Wait wait, double seconds) noexcept;
  // How long a run of this way is expected to take; 0 when not known.
  double Expected(Wait wait) const noexcept { return mean_[static_cast<size_t>(wait)]; }

 private:
  static constexpr uint32_t kFirstTrial = 8;   // runs of each way at the beginning
  static constexpr uint32_t kLaterTrial = 4;   // runs of another way later on
  static constexpr uint32_t kSettle = 2;       // runs after a change of way that do not count
  static constexpr uint32_t kPeriod = 512;     // runs between later trials

  Wait Best() const noexcept;

  std::array<double, kWaits> mean_{};
  uint32_t run_ = 0;
  uint32_t since_change_ = 0;
  Wait last_ = Wait::kSleep;
};

}  // namespace node_vae
