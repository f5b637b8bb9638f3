#pragma once

#include <cstddef>
#include <cstdint>

#include "coder/photo/photo_features.h"
#include "coder/distributions.h"
#include "coder/rans.h"

namespace node_vae::coder {

// Shares of 2^kPrecision to others of the same, never falling: straight pieces between the edges of equal bins.
struct ShareCurve {
  static constexpr int kBinBits = kPrecision - 5;
  static constexpr size_t kBins = size_t{1} << (kPrecision - kBinBits);

  uint32_t edge[kBins + 1];

  uint32_t operator()(uint32_t share) const noexcept {
    const uint32_t bin = share >> kBinBits;
    if (bin >= kBins) return edge[kBins];
    const uint32_t low = edge[bin];
    return low + static_cast<uint32_t>((uint64_t{edge[bin + 1] - low} * (share & ((1U << kBinBits) - 1))) >> kBinBits);
  }
};

// A mixture of logistics over the whole numbers 0 to `most`, which integers describe: what a network thinks of a sample.
// A distribution as those of distributions.h, of precision kPrecision.
class SampleMixture {
 public:
  static constexpr size_t kMaxComponents = 8;

  // `raw` holds logits (log2 * 2^8), means (in 1/256 of the scale around the component's place) and log2 of the scales
  // (* 2^8, beside that of the surroundings' scale). The last component stands on the alternative prediction, the others on
  // the prediction. Shares are those of the mixture through `curve`, which is borrowed.
  SampleMixture(const int16_t* raw, size_t components, const Surroundings& around, uint32_t most,
                const ShareCurve& curve) noexcept;

  // What a value takes: of the coder's numbers, and between which of the mixture's own shares it lies, of 2^kPrecision.
  struct Place {
    Interval interval;
    uint32_t from;
    uint32_t to;
  };

  Place PlaceOf(uint32_t value) const noexcept {
    const Edge below = EdgeOf(value);
    const Edge above = EdgeOf(value + 1);
    return {{below.start, above.start - below.start}, below.share, above.share};
  }
  // The value whose interval holds the position.
  uint32_t Find(uint32_t position, Place* place) const noexcept;

 private:
  // What lies below a value: the mixture's own share, and where the coder's intervals have come to, with at least 1 for each
  // value; both rise from 0 to 2^kPrecision.
  struct Edge {
    uint32_t share;
    uint32_t start;
  };
  Edge EdgeOf(uint32_t value) const noexcept;

  const ShareCurve* curve_;
  size_t components_;
  uint32_t most_;
  uint32_t guess_;
  int32_t weight_[kMaxComponents];
  int32_t mean_[kMaxComponents];
  int32_t factor_[kMaxComponents];
  int32_t shift_[kMaxComponents];
};

}  // namespace node_vae::coder
