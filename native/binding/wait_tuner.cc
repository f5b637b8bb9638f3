#include "binding/wait_tuner.h"

#include <algorithm>

namespace node_vae {

Wait WaitTuner::Choose() noexcept {
  const uint32_t run = run_++;
  Wait wait = Best();
  if (run < kFirstTrial * kWaits) {
    wait = static_cast<Wait>(run / kFirstTrial);
  } else if (run % kPeriod < kLaterTrial) {
    // Each of the others in turn.
    wait = static_cast<Wait>((static_cast<size_t>(wait) + 1 + run / kPeriod % (kWaits - 1)) % kWaits);
  }
  since_change_ = wait == last_ ? since_change_ + 1 : 0;
  last_ = wait;
  return wait;
}

void WaitTuner::Record(Wait wait, double seconds) noexcept {
  double& mean = mean_[static_cast<size_t>(wait)];
  if (mean == 0) {
    mean = seconds;
  } else if (since_change_ >= kSettle) {
    // A run that was interrupted says little about the way it waited.
    mean += 0.2 * (std::min(seconds, 3 * mean) - mean);
  }
}

Wait WaitTuner::Best() const noexcept {
  size_t best = 0;
  for (size_t i = 1; i < kWaits; ++i) {
    if (mean_[i] != 0 && (mean_[best] == 0 || mean_[i] < mean_[best])) best = i;
  }
  return static_cast<Wait>(best);
}

}  // namespace node_vae
