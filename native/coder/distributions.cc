#include "coder/distributions.h"

#include <algorithm>

namespace node_vae::coder {

namespace {

constexpr int kWeightBits = 14;

// Inverse scales from exp(-5.5) to exp(2.5), as in training (src/nn/likelihoods/local-mixture.ts).
constexpr int32_t kLeastExponent = -2031;
constexpr int32_t kMostExponent = 923;

// The smallest share a yes-or-no decision may have, of 2^24: 3e-6.
constexpr int32_t kLeastShare = 48;

// The last symbol in [low, high) whose cumulative share is at most `position`.
template <typename Cumulative>
uint32_t LastAtMost(uint32_t low, uint32_t high, uint32_t position, const Cumulative& cumulative) {
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (cumulative(middle) <= position) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

uint32_t DiscretisedNormal::SymbolAt(uint32_t position) const noexcept {
  return LastAtMost(0, uint32_t{1} << bits_, position, [this](uint32_t bucket) { return Cumulative(bucket); });
}

uint32_t DiscretisedNormal::BucketOf(int32_t value, int bits) noexcept {
  if (bits == 0) return 0;
  const int shift = kMaxBits + 1 - bits;
  uint32_t low = 0;
  uint32_t high = uint32_t{1} << bits;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (NormalQuantile(static_cast<int32_t>(middle << shift)) <= value) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

PixelMixture::PixelMixture(const int16_t* raw, int components) noexcept : components_(components) {
  const int16_t* logits = raw;
  const int16_t* means = raw + components;
  const int16_t* scales = raw + 2 * components;
  int32_t best = 0;
  for (int k = 1; k < components; ++k) {
    if (logits[k] > logits[best]) best = k;
  }
  int64_t sum = 0;
  for (int k = 0; k < components; ++k) {
    // 2^14 stands for the likeliest component. Twelve octaves below it nothing is left.
    weight_[k] = static_cast<int32_t>(ScaleExp2(1 << kWeightBits, std::max(logits[k] - logits[best], -12 * 256)));
    sum += weight_[k];
  }
  int32_t rest = 1 << kWeightBits;
  for (int k = 0; k < components; ++k) {
    weight_[k] = static_cast<int32_t>((int64_t{weight_[k]} << kWeightBits) / sum);
    rest -= weight_[k];
  }
  weight_[best] += rest;
  for (int k = 0; k < components; ++k) {
    mean_[k] = means[k];
    const int32_t exponent = std::clamp<int32_t>(scales[k], kLeastExponent, kMostExponent);
    scale_[k] = kExp2[exponent & 255];
    // Distances are in 1/64 of a value, Sigmoid takes 1/4096: six bits up, the mantissa's 15 down.
    shift_[k] = 9 - (exponent >> 8);
  }
  const int32_t zero = Sigmoid(int64_t{raw[3 * components]} * 16);
  zero_ = static_cast<uint32_t>(std::clamp<int32_t>(zero, kLeastShare, kUnit - 4096));
}

uint32_t PixelMixture::Cumulative(uint32_t value) const noexcept {
  constexpr uint32_t kValues = 255;  // 1..255
  const uint64_t room = kUnit - zero_ - kValues;
  if (value == 1) return zero_;
  if (value >= 256) return kUnit;
  const int32_t edge = static_cast<int32_t>(value << 6) - 32;
  int64_t mass = 0;
  for (int k = 0; k < components_; ++k) {
    const int64_t distance = edge - mean_[k];
    mass += int64_t{weight_[k]} * Sigmoid((distance * scale_[k]) >> shift_[k]);
  }
  return zero_ + (value - 1) + static_cast<uint32_t>(((static_cast<uint64_t>(mass) >> kWeightBits) * room) >> kUnitBits);
}

uint32_t PixelMixture::SymbolAt(uint32_t position) const noexcept {
  if (position < zero_) return 0;
  return LastAtMost(1, 256, position, [this](uint32_t value) { return Cumulative(value); });
}

uint32_t Categorical::SymbolAt(uint32_t position) const noexcept {
  return LastAtMost(0, static_cast<uint32_t>(cumulative_.size() - 1), position,
                    [this](uint32_t symbol) { return cumulative_[symbol]; });
}

void Categorical::FromWeights(std::span<const uint32_t> weights, std::span<uint32_t> cumulative) {
  const size_t count = weights.size();
  if (count == 0 || count > (size_t{1} << 16) || cumulative.size() != count + 1) {
    throw Error(code::kShape, "A table of symbol weights must have 1 to 65536 entries, not " + std::to_string(count) + ".");
  }
  uint64_t total = 0;
  for (const uint32_t weight : weights) total += weight;
  const uint64_t room = kUnit - count;
  uint64_t before = 0;
  for (size_t i = 0; i < count; ++i) {
    // total < 2^48 and room < 2^24: the product may pass 2^64, so divide the weights first if needed.
    const int shift = total >> 40 != 0 ? 8 : 0;
    const uint64_t mass = total == 0 ? room * i / count : ((before >> shift) * room) / (total >> shift);
    cumulative[i] = static_cast<uint32_t>(i + std::min(mass, room));
    before += weights[i];
  }
  cumulative[count] = kUnit;
}

Bernoulli::Bernoulli(int32_t logit) noexcept
    : one_(static_cast<uint32_t>(std::clamp(Sigmoid(int64_t{logit} * 16), kLeastShare, kUnit - kLeastShare))) {}

}  // namespace node_vae::coder
