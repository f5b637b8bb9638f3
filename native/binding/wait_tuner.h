#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace node_vae {

// How the two threads of a run wait for each other. Spinning saves waking a thread, which takes as
// long as a small model's run; but where processors are scarce it takes them from the work itself.
enum class Wait : uint8_t {
  kSleep,       // both sleep until woken
  kSpinWorker,  // the worker spins for the next run; the JavaScript thread sleeps
  kSpinBoth,    // the JavaScript thread polls for the end of the run as well
};
inline constexpr size_t kWaits = 3;

// Finds out by trying which way is fastest for runs of one shape on this machine as it is now: a trial
// of every way, then the best of them until the next trial. Trials become rarer while they change
// nothing, and come early when runs have become slower.
class WaitTuner {
 public:
  // The way for the next run.
  Wait Choose() noexcept;
  // How long a run took, from call to result.
  void Record(Wait wait, double seconds) noexcept;
  // How long a run of this way is expected to take; 0 when not known.
  double Expected(Wait wait) const noexcept { return typical_[static_cast<size_t>(wait)]; }

 private:
  static constexpr uint32_t kSettle = 3;    // runs after a change of way that do not count
  static constexpr uint32_t kSamples = 9;   // of which the median counts: some runs are always interrupted
  static constexpr uint32_t kShortest = 512;   // runs between trials
  static constexpr uint32_t kLongest = 16384;

  void Begin(Wait wait, uint32_t runs) noexcept;
  void NextPhase() noexcept;

  std::array<double, kWaits> typical_{};  // medians
  std::array<double, kSamples> samples_{};
  uint32_t sample_count_ = 0;
  Wait current_ = Wait::kSleep;
  Wait chosen_ = Wait::kSleep;
  double chosen_typical_ = 0;  // when it was chosen
  bool trial_ = false;
  uint32_t left_ = 0;  // runs of this phase
  uint32_t settle_ = 0;
  uint32_t interval_ = kShortest;
};

}  // namespace node_vae
