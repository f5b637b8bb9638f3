#include "coder/photo/block_predictor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/clones.h"

namespace node_vae::coder {

namespace {

constexpr size_t kPixels = BlockPredictor::kBlockWidth * BlockPredictor::kBlockHeight;
constexpr int kCoefficientBits = 16;
constexpr double kMostCoefficient = 16.0;
// What was learned counts for this much less with every band.
constexpr double kFade = 0.8;
// Normalised differences: one stands for 1/64 of how far predictions near it were off.
constexpr float kNormal = 64.0F;
constexpr int32_t kMostNormal = 2047;
// Added to the errors, in 1 / kOne: where predictions were exact nothing is divided by 0.
constexpr int32_t kLeastError = 24;
// Weight of the prior's sums, and what is added to the diagonal.
constexpr double kPriorWeight = 1.0;
constexpr double kRidge = 4096.0 * 4;

// out[i] = (from[i] - base[i]) * scale[i], limited.
NODE_VAE_CLONES void Normalise(const int32_t* NODE_VAE_RESTRICT from, const int32_t* NODE_VAE_RESTRICT base,
                               const float* NODE_VAE_RESTRICT scale, size_t count, int16_t* NODE_VAE_RESTRICT out) {
  for (size_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(from[i] - base[i]) * scale[i];
    const float least = value < -static_cast<float>(kMostNormal) ? -static_cast<float>(kMostNormal) : value;
    const float limited = least > static_cast<float>(kMostNormal) ? static_cast<float>(kMostNormal) : least;
    out[i] = static_cast<int16_t>(static_cast<int32_t>(limited));
  }
}

NODE_VAE_CLONES void Scales(const int32_t* NODE_VAE_RESTRICT a, const int32_t* NODE_VAE_RESTRICT b,
                            const int32_t* NODE_VAE_RESTRICT c, const int32_t* NODE_VAE_RESTRICT d, size_t count,
                            float* NODE_VAE_RESTRICT out) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t sum = (std::abs(a[i]) + std::abs(b[i]) + std::abs(c[i]) + std::abs(d[i])) / 4 + kLeastError;
    out[i] = kNormal / static_cast<float>(sum);
  }
}

NODE_VAE_CLONES void FadeAndAdd(double* NODE_VAE_RESTRICT sums, const int32_t* NODE_VAE_RESTRICT products, size_t count) {
  for (size_t i = 0; i < count; ++i) sums[i] = sums[i] * kFade + static_cast<double>(products[i]);
}

NODE_VAE_CLONES void Join(const double* NODE_VAE_RESTRICT left, const double* NODE_VAE_RESTRICT middle,
                          const double* NODE_VAE_RESTRICT right, const double* NODE_VAE_RESTRICT prior, size_t count,
                          double* NODE_VAE_RESTRICT out) {
  for (size_t i = 0; i < count; ++i) out[i] = (left[i] + right[i]) + (2.0 * middle[i] + prior[i]);
}

NODE_VAE_CLONES void TakeOff(double* NODE_VAE_RESTRICT row, const double* NODE_VAE_RESTRICT other, double factor,
                             size_t count) {
  for (size_t i = 0; i < count; ++i) row[i] = row[i] - other[i] * factor;
}

// Gauss's elimination of a symmetric positive matrix [n][stride], the right side being column n; what it gives is in
// `solution`. False where the matrix is none.
bool Solve(double* matrix, size_t n, size_t stride, double* solution) {
  for (size_t k = 0; k < n; ++k) {
    const double pivot = matrix[k * stride + k];
    if (!(pivot > 1.0)) return false;
    for (size_t i = k + 1; i < n; ++i) {
      // Symmetric: row k right of the diagonal is what column k below it was.
      const double factor = matrix[k * stride + i] / pivot;
      TakeOff(matrix + i * stride + i, matrix + k * stride + i, factor, n + 1 - i);
    }
  }
  for (size_t k = n; k-- > 0;) {
    double rest = matrix[k * stride + n];
    for (size_t j = k + 1; j < n; ++j) rest = rest - matrix[k * stride + j] * solution[j];
    solution[k] = rest / matrix[k * stride + k];
  }
  return true;
}

}  // namespace

BlockPredictor::BlockPredictor(const BlockPredictorSpec& spec, const TilePlanes& planes, size_t width)
    : count_(spec.differences.size()),
      blocks_((width + kBlockWidth - 1) / kBlockWidth),
      own_(planes.Distance(spec.plane, false, {0, 0})),
      left_(planes.Distance(spec.plane, false, {0, -1})),
      error_{planes.Distance(spec.plane, true, {0, -1}), planes.Distance(spec.plane, true, {1, 0}),
             planes.Distance(spec.plane, true, {1, 1}), planes.Distance(spec.plane, true, {1, -1})},
      kernel_(ChooseMatrixKernel()) {
  for (const Difference& one : spec.differences) {
    distances_.push_back(
        {planes.Distance(one.plane, false, one.place), planes.Distance(one.base_plane, false, one.base)});
  }
  const size_t size = (count_ + 1) * (count_ + 1);
  prior_.resize(size);
  for (size_t i = 0; i < size; ++i) prior_[i] = kPriorWeight * static_cast<double>(spec.prior[i]);
  for (size_t i = 0; i < count_; ++i) prior_[i * (count_ + 2)] += kRidge;
  sums_.assign(size * blocks_, 0.0);
  coefficients_.assign(blocks_ * count_, 0);
  const size_t tiles = (count_ + kTile) / kTile;
  rows_.assign((count_ + 1) * kPixels, 0);
  packed_.assign(tiles * kPixels * kTile, 0);
  products_.assign((count_ + 1) * tiles * kTile, 0);
}

void BlockPredictor::Begin(size_t bx) {
  const size_t size = (count_ + 1) * (count_ + 1);
  const auto of = [&](size_t column) { return sums_.data() + column * size; };
  double matrix[(kMostDifferences + 1) * (kMostDifferences + 1)];
  Join(of(bx == 0 ? 0 : bx - 1), of(bx), of(bx + 1 < blocks_ ? bx + 1 : bx), prior_.data(), size, matrix);
  double solution[kMostDifferences];
  int32_t* into = coefficients_.data() + bx * count_;
  if (!Solve(matrix, count_, count_ + 1, solution)) std::fill(solution, solution + count_, 0.0);
  for (size_t i = 0; i < count_; ++i) {
    const double value = solution[i];
    // NaN compares false.
    const double limited = value > -kMostCoefficient ? (value < kMostCoefficient ? value : kMostCoefficient) : -kMostCoefficient;
    into[i] = static_cast<int32_t>(std::floor(limited * (1 << kCoefficientBits) + 0.5));
  }
}

int32_t BlockPredictor::Predict(const int32_t* at, size_t bx) const noexcept {
  const int32_t* coefficients = coefficients_.data() + bx * count_;
  int64_t sum = int64_t{1} << (kCoefficientBits - 1);
  for (size_t i = 0; i < count_; ++i) {
    sum += int64_t{coefficients[i]} * (at[distances_[i].from] - at[distances_[i].base]);
  }
  const int64_t value = at[left_] + (sum >> kCoefficientBits);
  constexpr int64_t kMost = int64_t{1} << 24;
  return static_cast<int32_t>(std::min(std::max(value, -kMost), kMost));
}

void BlockPredictor::Learn(const int32_t* at, size_t bx, size_t columns, ptrdiff_t stride) {
  float scale[kBlockWidth];
  const size_t values = count_ + 1;
  if (columns < kBlockWidth) std::fill(rows_.begin(), rows_.end(), int16_t{0});
  for (size_t y = 0; y < kBlockHeight; ++y) {
    const int32_t* row = at + static_cast<ptrdiff_t>(y) * stride;
    Scales(row + error_[0], row + error_[1], row + error_[2], row + error_[3], columns, scale);
    for (size_t i = 0; i < count_; ++i) {
      Normalise(row + distances_[i].from, row + distances_[i].base, scale, columns,
                rows_.data() + i * kPixels + y * kBlockWidth);
    }
    Normalise(row + own_, row + left_, scale, columns, rows_.data() + count_ * kPixels + y * kBlockWidth);
  }
  const size_t tiles = (values + kTile - 1) / kTile;
  for (size_t o = 0; o < values; ++o) {
    int16_t* packed = packed_.data() + (o / kTile * kPixels / 2 * kTile + o % kTile) * 2;
    const int16_t* from = rows_.data() + o * kPixels;
    for (size_t pair = 0; pair < kPixels / 2; ++pair) std::memcpy(packed + pair * 2 * kTile, from + pair * 2, 4);
  }
  kernel_(rows_.data(), kPixels, values, packed_.data(), kPixels / 2, tiles, products_.data());
  double* sums = sums_.data() + bx * values * values;
  for (size_t r = 0; r < values; ++r) FadeAndAdd(sums + r * values, products_.data() + r * tiles * kTile, values);
}

void BlockPredictor::LastSums(int64_t* into) const {
  const size_t values = count_ + 1;
  const size_t width = (values + kTile - 1) / kTile * kTile;
  for (size_t r = 0; r < values; ++r) {
    for (size_t o = 0; o < values; ++o) into[r * values + o] = products_[r * width + o];
  }
}

}  // namespace node_vae::coder
