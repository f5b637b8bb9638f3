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

// Where sigmoid(t / 4096) comes to each share, about.
struct Logits {
  static constexpr int kBits = 8;
  int32_t value[1 << kBits];

  Logits() noexcept {
    int32_t at = 0;
    for (int32_t i = 0; i < 1 << kBits; ++i) {
      while (at < 1024 && kSigmoid[at] < i << (kUnitBits - kBits)) ++at;
      value[i] = (at - 512) * 128;
    }
  }
};

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

PixelMixture::PixelMixture(const int16_t* raw, int components, uint32_t zero) noexcept
    : components_(components), zero_(zero) {
  const int16_t* logits = raw;
  const int16_t* means = raw + components;
  const int16_t* scales = raw + 2 * components;
  int best = 0;
  int32_t most = logits[0];
  for (int k = 1; k < components; ++k) {
    // Without a branch, which nobody could foresee.
    best = logits[k] > most ? k : best;
    most = logits[k] > most ? logits[k] : most;
  }
  best_ = best;
  best_exponent_ = std::clamp<int32_t>(scales[best], kLeastExponent, kMostExponent);
  uint32_t sum = 0;
  for (int k = 0; k < components; ++k) {
    // 2^14 stands for the likeliest component. Twelve octaves below it nothing is left.
    weight_[k] = static_cast<int32_t>(ScaleExp2(1 << kWeightBits, std::max(logits[k] - most, -12 * 256)));
    sum += static_cast<uint32_t>(weight_[k]);
    mean_[k] = means[k];
    const int32_t exponent = std::clamp<int32_t>(scales[k], kLeastExponent, kMostExponent);
    scale_[k] = kExp2[exponent & 255];
    // Distances are in 1/64 of a value, Sigmoid takes 1/4096: six bits up, the mantissa's 15 down.
    shift_[k] = 9 - (exponent >> 8);
  }
  // One division for all: what it rounds up is below 2^-47 for dividends to 2^28 and sums to 2^18, too little to show.
  const uint64_t inverse = (uint64_t{1} << 47) / sum + 1;
  int32_t rest = 1 << kWeightBits;
  for (int k = 0; k < components; ++k) {
    weight_[k] = static_cast<int32_t>(((static_cast<uint64_t>(weight_[k]) << kWeightBits) * inverse) >> 47);
    rest -= weight_[k];
  }
  weight_[best] += rest;
}

uint32_t PixelMixture::ZeroShare(int16_t logit) noexcept {
  return static_cast<uint32_t>(std::clamp<int32_t>(Sigmoid(int64_t{logit} * 16), kLeastShare, kUnit - 4096));
}

Interval PixelMixture::Between(uint32_t value) const noexcept {
  constexpr uint32_t kValues = 255;  // 1..255
  const uint64_t room = kUnit - zero_ - kValues;
  const int32_t edge = static_cast<int32_t>(value << 6) - 32;
  int64_t below = 0;
  int64_t above = 0;
  for (int k = 0; k < components_; ++k) {
    const int64_t distance = edge - mean_[k];
    below += int64_t{weight_[k]} * Sigmoid((distance * scale_[k]) >> shift_[k]);
    above += int64_t{weight_[k]} * Sigmoid(((distance + 64) * scale_[k]) >> shift_[k]);
  }
  const auto share = [&](int64_t mass, uint32_t values) {
    return zero_ + values + static_cast<uint32_t>(((static_cast<uint64_t>(mass) >> kWeightBits) * room) >> kUnitBits);
  };
  // What is below 1 is of 1, what is above 255 of 255.
  const uint32_t start = value == 1 ? zero_ : share(below, value - 1);
  return {start, (value == 255 ? static_cast<uint32_t>(kUnit) : share(above, value)) - start};
}

int32_t PixelMixture::Guess(uint32_t position) const noexcept {
  static const Logits logits;
  const uint32_t of_rest = ((position - zero_) << Logits::kBits) / (kUnit - zero_);
  const int64_t distance = ScaleExp2(logits.value[of_rest], -best_exponent_) >> 6;
  return static_cast<int32_t>(std::clamp<int64_t>((mean_[best_] + distance + 32) >> 6, 1, 255));
}

uint32_t PixelMixture::Find(uint32_t position, Interval* interval) const noexcept {
  if (position < zero_) {
    *interval = {0, zero_};
    return 0;
  }
  // Newton's steps, of which two or three do: an interval's size is how fast shares grow there. Halves where they lead
  // out of what is left, or are too many.
  constexpr int kMostSteps = 6;
  int32_t low = 1;
  int32_t high = 256;
  int32_t value = Guess(position);
  for (int steps = 0;; ++steps) {
    *interval = Between(static_cast<uint32_t>(value));
    int32_t next;
    if (position < interval->start) {
      high = value;
      next = value - 1 - static_cast<int32_t>((interval->start - 1 - position) / interval->size);
    } else if (position - interval->start >= interval->size) {
      low = value + 1;
      next = value + static_cast<int32_t>((position - interval->start) / interval->size);
    } else {
      return static_cast<uint32_t>(value);
    }
    value = next >= low && next < high && steps < kMostSteps ? next : low + (high - low) / 2;
  }
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
