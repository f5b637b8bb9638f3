#include "coder/photo/sample_mixture.h"

#include <algorithm>

#include "coder/photo/log_table.h"
#include "coder/tables.h"

namespace node_vae::coder {

namespace {

constexpr int kWeightBits = 14;
constexpr int32_t kMostMean = 1 << 26;
// Scales, as log2 * 2^8 of 1 / kOne: from 1/64 to 2^14 of a sample's step.
constexpr int32_t kLeastScale = -1 * 256;
constexpr int32_t kMostScale = 19 * 256;

}  // namespace

SampleMixture::SampleMixture(const int16_t* raw, size_t components, const Surroundings& around, uint32_t most,
                             const ShareCurve& curve) noexcept
    : curve_(&curve), components_(components), most_(most) {
  const int16_t* logits = raw;
  const int16_t* means = raw + components;
  const int16_t* scales = raw + 2 * components;
  size_t best = 0;
  for (size_t k = 1; k < components; ++k) {
    if (logits[k] > logits[best]) best = k;
  }
  int64_t sum = 0;
  for (size_t k = 0; k < components; ++k) {
    weight_[k] = static_cast<int32_t>(ScaleExp2(1 << kWeightBits, std::max(logits[k] - logits[best], -12 * 256)));
    sum += weight_[k];
  }
  int32_t rest = 1 << kWeightBits;
  for (size_t k = 0; k < components; ++k) {
    weight_[k] = static_cast<int32_t>((int64_t{weight_[k]} << kWeightBits) / sum);
    rest -= weight_[k];
  }
  weight_[best] += rest;
  const int32_t around_scale = LogTable::Get()(static_cast<uint32_t>(around.scale));
  for (size_t k = 0; k < components; ++k) {
    const int64_t place = k + 1 == components ? around.alternative : around.prediction;
    const int64_t mean = place + ((int64_t{means[k]} * around.scale) >> 8);
    mean_[k] = static_cast<int32_t>(std::clamp<int64_t>(mean, -kMostMean, kMostMean));
    // Distances in 1/32 are to be divided by the scale in 1/32 and multiplied by 4096 for Sigmoid().
    const int32_t exponent = -std::clamp<int32_t>(around_scale + scales[k], kLeastScale, kMostScale);
    factor_[k] = kExp2[exponent & 255];
    shift_[k] = 15 - 12 - (exponent >> 8);  // 2 or more
  }
  guess_ = static_cast<uint32_t>(std::clamp<int32_t>((mean_[best] + kOne / 2) >> kFractionBits, 0, static_cast<int32_t>(most)));
}

SampleMixture::Edge SampleMixture::EdgeOf(uint32_t value) const noexcept {
  if (value == 0) return {0, 0};
  if (value > most_) return {1U << kPrecision, 1U << kPrecision};
  const int32_t edge = (static_cast<int32_t>(value) << kFractionBits) - kOne / 2;
  int64_t mass = 0;
  for (size_t k = 0; k < components_; ++k) {
    const int64_t product = int64_t{edge - mean_[k]} * factor_[k];
    mass += int64_t{weight_[k]} * Sigmoid(product >> shift_[k]);
  }
  const auto share = static_cast<uint32_t>(mass >> kWeightBits);
  const uint64_t room = (uint64_t{1} << kPrecision) - most_ - 1;
  return {share, value + static_cast<uint32_t>(((*curve_)(share) * room) >> kPrecision)};
}

uint32_t SampleMixture::Find(uint32_t position, Place* place) const noexcept {
  // Steps that double, away from where most is expected; then halves.
  uint32_t low = guess_;
  Edge below = EdgeOf(low);
  uint32_t high;
  Edge above;
  if (below.start <= position) {
    uint32_t step = 1;
    for (;;) {
      high = std::min(low + step, most_ + 1);
      above = EdgeOf(high);
      if (above.start > position) break;
      low = high;
      below = above;
      step *= 2;
    }
  } else {
    high = low;
    above = below;
    uint32_t step = 1;
    for (;;) {
      low = high > step ? high - step : 0;
      below = EdgeOf(low);
      if (below.start <= position) break;
      high = low;
      above = below;
      step *= 2;
    }
  }
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    const Edge edge = EdgeOf(middle);
    if (edge.start <= position) {
      low = middle;
      below = edge;
    } else {
      high = middle;
      above = edge;
    }
  }
  *place = {{below.start, above.start - below.start}, below.share, above.share};
  return low;
}

}  // namespace node_vae::coder
