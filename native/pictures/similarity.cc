#include "pictures/similarity.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/clones.h"

namespace node_vae::pictures {
namespace {

constexpr size_t kWindow = 11;
constexpr size_t kHalf = kWindow / 2;
constexpr double kSigma = 1.5;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255);
constexpr double kC2 = (0.03 * 255) * (0.03 * 255);
// a, b, aa, bb, ab.
constexpr size_t kMaps = 5;

using Window = std::array<double, kHalf + 1>;

// A Gaussian window that sums to 1: its first half, up to the middle.
Window MakeWindow() {
  Window window;
  double total = 0;
  for (size_t i = 0; i <= kHalf; ++i) {
    const double distance = static_cast<double>(kHalf - i);
    window[i] = std::exp(-distance * distance / (2 * kSigma * kSigma));
    total += i == kHalf ? window[i] : 2 * window[i];
  }
  for (double& weight : window) weight /= total;
  return window;
}

// in[0 .. count + 10] to out[0 .. count].
NODE_VAE_CLONES void BlurAcross(const double* NODE_VAE_RESTRICT in, size_t count, const Window& window,
                                double* NODE_VAE_RESTRICT out) {
  const double w0 = window[0], w1 = window[1], w2 = window[2], w3 = window[3], w4 = window[4], w5 = window[5];
  for (size_t x = 0; x < count; ++x) {
    out[x] = w0 * (in[x] + in[x + 10]) + w1 * (in[x + 1] + in[x + 9]) + w2 * (in[x + 2] + in[x + 8]) +
             w3 * (in[x + 3] + in[x + 7]) + w4 * (in[x + 4] + in[x + 6]) + w5 * in[x + 5];
  }
}

// `rows` in their order from above; the same sum downwards.
NODE_VAE_CLONES void BlurDown(const std::array<const double*, kWindow>& rows, size_t count, const Window& window,
                              double* NODE_VAE_RESTRICT out) {
  const double *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3], *r4 = rows[4], *r5 = rows[5];
  const double *r6 = rows[6], *r7 = rows[7], *r8 = rows[8], *r9 = rows[9], *r10 = rows[10];
  const double w0 = window[0], w1 = window[1], w2 = window[2], w3 = window[3], w4 = window[4], w5 = window[5];
  for (size_t x = 0; x < count; ++x) {
    out[x] = w0 * (r0[x] + r10[x]) + w1 * (r1[x] + r9[x]) + w2 * (r2[x] + r8[x]) + w3 * (r3[x] + r7[x]) +
             w4 * (r4[x] + r6[x]) + w5 * r5[x];
  }
}

NODE_VAE_CLONES void Multiply(const double* a, const double* b, size_t count, double* NODE_VAE_RESTRICT out) {
  for (size_t x = 0; x < count; ++x) out[x] = a[x] * b[x];
}

// Contrast and structure at each place, and with `luminance` times that; `maps` are the blurred ones.
NODE_VAE_CLONES void Similarity(const double* maps, size_t count, bool luminance, double* NODE_VAE_RESTRICT out) {
  const double* a = maps;
  const double* b = maps + count;
  const double* aa = maps + 2 * count;
  const double* bb = maps + 3 * count;
  const double* ab = maps + 4 * count;
  for (size_t x = 0; x < count; ++x) {
    const double variances = (aa[x] - a[x] * a[x]) + (bb[x] - b[x] * b[x]);
    const double covariance = ab[x] - a[x] * b[x];
    out[x] = (2 * covariance + kC2) / (variances + kC2);
  }
  if (!luminance) return;
  for (size_t x = 0; x < count; ++x) {
    out[x] *= (2 * a[x] * b[x] + kC1) / (a[x] * a[x] + b[x] * b[x] + kC1);
  }
}

// The mean of each two by two pixels; `even` and `odd` are rows.
NODE_VAE_CLONES void Halve(const double* even, const double* odd, size_t count, double* NODE_VAE_RESTRICT out) {
  for (size_t x = 0; x < count; ++x) {
    out[x] = (even[2 * x] + even[2 * x + 1] + odd[2 * x] + odd[2 * x + 1]) * 0.25;
  }
}

// Takes the rows of one scale, and makes those of the next.
class Scale {
 public:
  Scale(size_t width, size_t scales)
      : width_(width),
        count_(width - kWindow + 1),
        last_(scales == 1),
        ring_(kWindow * kMaps * count_),
        product_(width),
        blurred_(kMaps * count_),
        places_(count_) {
    if (last_) return;
    above_.resize(2 * width);
    half_.resize(2 * (width / 2));
    next_ = std::make_unique<Scale>(width / 2, scales - 1);
  }

  void Push(const double* a, const double* b) {
    const std::array<std::array<const double*, 2>, kMaps> factors = {
        {{a, nullptr}, {b, nullptr}, {a, a}, {b, b}, {a, b}}};
    double* slot = Row(rows_ % kWindow);
    for (size_t map = 0; map < kMaps; ++map) {
      const auto [left, right] = factors[map];
      if (right != nullptr) Multiply(left, right, width_, product_.data());
      BlurAcross(right == nullptr ? left : product_.data(), count_, window_, slot + map * count_);
    }
    ++rows_;
    if (rows_ >= kWindow) Measure();
    if (!last_) PassOn(a, b);
  }

  void Means(double* out) const {
    *out = total_ / (static_cast<double>(count_) * static_cast<double>(rows_ - kWindow + 1));
    if (next_ != nullptr) next_->Means(out + 1);
  }

 private:
  double* Row(size_t slot) { return ring_.data() + slot * kMaps * count_; }

  void Measure() {
    for (size_t map = 0; map < kMaps; ++map) {
      std::array<const double*, kWindow> rows;
      for (size_t i = 0; i < kWindow; ++i) rows[i] = Row((rows_ + i) % kWindow) + map * count_;
      BlurDown(rows, count_, window_, blurred_.data() + map * count_);
    }
    Similarity(blurred_.data(), count_, last_, places_.data());
    double row = 0;
    for (const double place : places_) row += place;
    total_ += row;
  }

  void PassOn(const double* a, const double* b) {
    if (rows_ % 2 == 1) {
      std::copy_n(a, width_, above_.data());
      std::copy_n(b, width_, above_.data() + width_);
      return;
    }
    const size_t half = width_ / 2;
    Halve(above_.data(), a, half, half_.data());
    Halve(above_.data() + width_, b, half, half_.data() + half);
    next_->Push(half_.data(), half_.data() + half);
  }

  const Window window_ = MakeWindow();
  size_t width_;
  size_t count_;
  bool last_;
  size_t rows_ = 0;
  double total_ = 0;
  std::vector<double> ring_;  // the last 11 rows, blurred across
  std::vector<double> product_;
  std::vector<double> blurred_;
  std::vector<double> places_;
  std::vector<double> above_;
  std::vector<double> half_;
  std::unique_ptr<Scale> next_;
};

}  // namespace

Difference Compare(const Pair& pair, size_t channel) {
  const auto& [a, b, width, height, channels] = pair;
  Difference found;
  const bool scaled = std::min(width, height) >= kLeastSide;
  std::unique_ptr<Scale> scale = scaled ? std::make_unique<Scale>(width, kScales) : nullptr;
  std::vector<double> rows(2 * width);
  for (size_t y = 0; y < height; ++y) {
    const size_t start = y * width * channels + channel;
    uint64_t squares = 0;  // of a row at most 2^48
    for (size_t x = 0; x < width; ++x) {
      const int left = a[start + x * channels];
      const int right = b[start + x * channels];
      squares += static_cast<uint64_t>((left - right) * (left - right));
      rows[x] = left;
      rows[width + x] = right;
    }
    found.squares += static_cast<double>(squares);
    if (scale != nullptr) scale->Push(rows.data(), rows.data() + width);
  }
  if (scale != nullptr) scale->Means(found.means.data());
  return found;
}

}  // namespace node_vae::pictures
