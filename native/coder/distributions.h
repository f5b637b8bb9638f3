#pragma once

#include <cstdint>
#include <span>

#include "coder/rans.h"
#include "coder/tables.h"

// Distributions with integer cumulative functions. Each gives every symbol a share of at least 1 of
// 2^precision, so that whatever a model believes, any data can be coded. A distribution is a small
// value with `IntervalOf(symbol)` and `SymbolAt(position)`, exact inverses of one another.
namespace node_vae::coder {

// Precision of everything but uniform symbols. 2^24 leaves 256 guaranteed shares costing 2e-5 bits.
inline constexpr int kPrecision = 24;

// 2^bits symbols of equal share.
struct Uniform {
  int bits;

  Interval IntervalOf(uint32_t symbol) const noexcept { return {symbol, 1}; }
  uint32_t SymbolAt(uint32_t position) const noexcept { return position; }
  int precision() const noexcept { return bits; }
};

// A normal distribution over 2^bits buckets that are equally likely under the standard normal: the
// discretisation of Townsend, Bird, Barber 2019 (arXiv:1901.04866), section 2.5.1. The prior over
// buckets is then uniform.
class DiscretisedNormal {
 public:
  static constexpr int kMaxBits = 11;

  // mean * 2^12; log2 of the precision (1 / standard deviation) * 2^8. bits is in [1, kMaxBits].
  DiscretisedNormal(int32_t mean, int32_t log2_precision, int bits) noexcept
      : mean_(mean), log2_precision_(log2_precision), bits_(bits) {}

  Interval IntervalOf(uint32_t bucket) const noexcept {
    const uint32_t start = Cumulative(bucket);
    return {start, Cumulative(bucket + 1) - start};
  }
  uint32_t SymbolAt(uint32_t position) const noexcept;
  int precision() const noexcept { return kPrecision; }

  // The median of a bucket, * 2^12.
  static int32_t Centre(uint32_t bucket, int bits) noexcept {
    return NormalQuantile(static_cast<int32_t>((2 * bucket + 1) << (kMaxBits - bits)));
  }
  // The bucket that holds value / 2^12.
  static uint32_t BucketOf(int32_t value, int bits) noexcept;

 private:
  uint32_t Cumulative(uint32_t bucket) const noexcept {
    const auto count = uint32_t{1} << bits_;
    if (bucket == 0) return 0;
    if (bucket >= count) return kUnit;
    const int64_t distance = NormalQuantile(static_cast<int32_t>(bucket << (kMaxBits + 1 - bits_))) - mean_;
    const auto mass = static_cast<uint64_t>(NormalCdf(ScaleExp2(distance, log2_precision_)));
    return bucket + static_cast<uint32_t>((mass * (kUnit - count)) >> kUnitBits);
  }

  int32_t mean_;
  int32_t log2_precision_;
  int bits_;
};

// A mixture of discretised logistics over 0..255 (Salimans et al. 2017, PixelCNN++,
// arXiv:1701.05517, section 2.1), with a probability of its own for 0: backgrounds are flat.
class PixelMixture {
 public:
  static constexpr int kMaxComponents = 16;

  // `raw` holds 3 * components + 1 numbers: logits (log2 * 2^8), means (value * 2^6), log2 of the
  // inverse scales (* 2^8), and last the logit of "is zero" (natural * 2^8).
  PixelMixture(const int16_t* raw, int components) noexcept
      : PixelMixture(raw, components, ZeroShare(raw[3 * components])) {}
  // The same where the last number's share is known.
  PixelMixture(const int16_t* raw, int components, uint32_t zero) noexcept;

  // The share of 0, by the last of the raw numbers.
  static uint32_t ZeroShare(int16_t logit) noexcept;

  Interval IntervalOf(uint32_t value) const noexcept {
    if (value == 0) return {0, zero_};
    return Between(value);
  }
  // The value whose interval holds the position, and its interval.
  uint32_t Find(uint32_t position, Interval* interval) const noexcept;
  uint32_t SymbolAt(uint32_t position) const noexcept {
    Interval interval;
    return Find(position, &interval);
  }
  int precision() const noexcept { return kPrecision; }

 private:
  // For value in [1, 255].
  Interval Between(uint32_t value) const noexcept;
  // A value that is likely near the one that holds the position.
  int32_t Guess(uint32_t position) const noexcept;

  int components_;
  uint32_t zero_;
  int best_;  // the likeliest component
  int32_t best_exponent_;
  int32_t weight_[kMaxComponents];  // sum to 2^kWeightBits
  int32_t mean_[kMaxComponents];
  int32_t scale_[kMaxComponents];  // mantissa of the inverse scale, [2^15, 2^16)
  int32_t shift_[kMaxComponents];
};

// Symbols with integer weights, each at least 1, that sum to 2^kPrecision: `cumulative` has one
// number more than there are symbols, from 0 to 2^kPrecision, rising.
class Categorical {
 public:
  explicit Categorical(std::span<const uint32_t> cumulative) noexcept : cumulative_(cumulative) {}

  Interval IntervalOf(uint32_t symbol) const noexcept {
    return {cumulative_[symbol], cumulative_[symbol + 1] - cumulative_[symbol]};
  }
  uint32_t SymbolAt(uint32_t position) const noexcept;
  int precision() const noexcept { return kPrecision; }

  // Fills `cumulative` (one longer than `weights`) in proportion to the weights, each share at least 1.
  static void FromWeights(std::span<const uint32_t> weights, std::span<uint32_t> cumulative);

 private:
  std::span<const uint32_t> cumulative_;
};

// One yes-or-no symbol from its logit (natural * 2^8).
class Bernoulli {
 public:
  explicit Bernoulli(int32_t logit) noexcept;

  Interval IntervalOf(uint32_t symbol) const noexcept {
    return symbol == 0 ? Interval{0, kUnit - one_} : Interval{kUnit - one_, one_};
  }
  uint32_t SymbolAt(uint32_t position) const noexcept { return position >= kUnit - one_ ? 1 : 0; }
  int precision() const noexcept { return kPrecision; }

 private:
  uint32_t one_;
};

template <typename Distribution>
void PushSymbol(RansStack& message, int lane, uint32_t symbol, const Distribution& distribution) {
  message.Push(lane, distribution.IntervalOf(symbol), distribution.precision());
}

template <typename Distribution>
uint32_t PopSymbol(RansStack& message, int lane, const Distribution& distribution) {
  const uint32_t symbol = distribution.SymbolAt(message.Peek(lane, distribution.precision()));
  message.Pop(lane, distribution.IntervalOf(symbol), distribution.precision());
  return symbol;
}

}  // namespace node_vae::coder
