#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coder/distributions.h"
#include "coder/rans.h"

// Tables for integers of any size: those near the middle have an interval of their own, the rest
// follow an escape symbol in plain bits.
namespace node_vae::coder {

// A symbol's interval and the precision it is coded at.
struct CodedSymbol {
  Interval interval;
  int precision;
};

class SymbolTable {
 public:
  // The largest integers, in magnitude, that have an interval of their own.
  static constexpr int32_t kMostOwn = 2047;
  // The largest that can be coded.
  static constexpr int32_t kMostValue = 32767;

  // A discretised logistic around 0 of scale 2^(kLeastLogScale + index / kScaleSteps): what a symbol's residual
  // follows under a mean and scale.
  static constexpr int kScaleSteps = 8;
  static constexpr int kLeastLogScale = -4;
  static constexpr int kMostLogScale = 8;
  static constexpr int kScales = (kMostLogScale - kLeastLogScale) * kScaleSteps + 1;
  static SymbolTable Logistic(int scale_index);

  // A mixture of discretised logistics. Weights sum to 2^kMixtureWeightBits, means are * 2^kMixtureMeanBits, log2
  // of the inverse scales * 2^kMixtureScaleBits and no more than kMostMixtureScale.
  struct Component {
    int32_t weight;
    int32_t mean;
    int32_t log2_inverse_scale;
  };
  static constexpr int kMixtureWeightBits = 14;
  static constexpr int kMixtureMeanBits = 6;
  static constexpr int kMixtureScaleBits = 8;
  static constexpr int32_t kMostMixtureScale = 12 << kMixtureScaleBits;
  // Throws Error(kFormat) when the numbers are out of range.
  static SymbolTable Mixture(std::span<const Component> components);

  // Appends what codes `value`, in the order of decoding. |value| <= kMostValue.
  void Append(int32_t value, std::vector<CodedSymbol>& out) const;
  // The next value of the message, from lane 0.
  int32_t Pop(RansStack& message) const;

  int32_t low() const noexcept { return low_; }
  int32_t high() const noexcept { return low_ + static_cast<int32_t>(cumulative_.size()) - 3; }

 private:
  template <typename Cumulative>
  static SymbolTable From(const Cumulative& cumulative);

  int32_t low_ = 0;
  // One interval for each value from low_ on, then one for the escape; ends with 2^kPrecision.
  std::vector<uint32_t> cumulative_;
};

}  // namespace node_vae::coder
