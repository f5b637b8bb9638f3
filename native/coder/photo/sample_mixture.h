#pragma once

#include <cstddef>
#include <cstdint>

#include "coder/photo/photo_features.h"
#include "coder/distributions.h"
#include "coder/rans.h"

namespace node_vae::coder {

// A mixture of logistics over the whole numbers 0 to `most`, which integers describe: what a network thinks of a sample.
// A distribution as those of distributions.h, of precision kPrecision.
class SampleMixture {
 public:
  static constexpr size_t kMaxComponents = 8;

  // `raw` holds logits (log2 * 2^8), means (in 1/256 of the scale around the component's place) and log2 of the scales
  // (* 2^8, beside that of the surroundings' scale). The last component stands on the alternative prediction, the others on
  // the prediction.
  SampleMixture(const int16_t* raw, size_t components, const Surroundings& around, uint32_t most) noexcept;

  Interval IntervalOf(uint32_t value) const noexcept {
    const uint32_t start = Cumulative(value);
    return {start, Cumulative(value + 1) - start};
  }
  // The value whose share holds the position, and its share.
  uint32_t Find(uint32_t position, Interval* interval) const noexcept;

 private:
  // The share of what is below `value`, with at least 1 for each; rises from 0 to 2^kPrecision.
  uint32_t Cumulative(uint32_t value) const noexcept;

  size_t components_;
  uint32_t most_;
  uint32_t guess_;
  int32_t weight_[kMaxComponents];
  int32_t mean_[kMaxComponents];
  int32_t factor_[kMaxComponents];
  int32_t shift_[kMaxComponents];
};

}  // namespace node_vae::coder
