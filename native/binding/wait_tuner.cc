#include "binding/wait_tuner.h"

#include <algorithm>

namespace node_vae {

Wait WaitTuner::Choose() noexcept {
  if (left_ == 0) NextPhase();
  --left_;
  return current_;
}

void WaitTuner::Record(Wait wait, double seconds) noexcept {
  if (wait != current_) return;  // the last run of the phase before
  if (settle_ > 0) {
    --settle_;
    return;
  }
  samples_[sample_count_++] = seconds;
  if (sample_count_ < kSamples) return;
  std::array<double, kSamples> sorted = samples_;
  std::nth_element(sorted.begin(), sorted.begin() + kSamples / 2, sorted.end());
  const double median = sorted[kSamples / 2];
  typical_[static_cast<size_t>(current_)] = median;
  sample_count_ = 0;
  if (!trial_ && median > 1.5 * chosen_typical_) {
    interval_ = kShortest;
    left_ = 0;
  }
}

void WaitTuner::Begin(Wait wait, uint32_t runs) noexcept {
  current_ = wait;
  left_ = runs;
  settle_ = kSettle;
  sample_count_ = 0;
}

void WaitTuner::NextPhase() noexcept {
  constexpr uint32_t kTrial = kSettle + kSamples;
  if (!trial_) {
    trial_ = true;
    Begin(Wait::kSleep, kTrial);
    return;
  }
  const size_t next = static_cast<size_t>(current_) + 1;
  if (next < kWaits) {
    Begin(static_cast<Wait>(next), kTrial);
    return;
  }
  trial_ = false;
  const auto best = static_cast<Wait>(std::min_element(typical_.begin(), typical_.end()) - typical_.begin());
  interval_ = best == chosen_ ? std::min(2 * interval_, kLongest) : kShortest;
  chosen_ = best;
  chosen_typical_ = typical_[static_cast<size_t>(best)];
  Begin(best, interval_);
}

}  // namespace node_vae
