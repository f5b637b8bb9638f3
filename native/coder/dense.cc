#include "coder/dense.h"

#include <algorithm>
#include <cstdlib>

#include "core/clones.h"
#include "core/error.h"

namespace node_vae::coder {

namespace {

constexpr size_t kMaxWidth = size_t{1} << 22;

NODE_VAE_CLONES void Requantize(const int32_t* NODE_VAE_RESTRICT sums, const int32_t* NODE_VAE_RESTRICT start,
                                const int32_t* NODE_VAE_RESTRICT shift, size_t count, int16_t low, int16_t high,
                                int16_t* NODE_VAE_RESTRICT out) {
  for (size_t o = 0; o < count; ++o) {
    const int32_t value = (sums[o] + start[o]) >> shift[o];
    out[o] = static_cast<int16_t>(std::min<int32_t>(std::max<int32_t>(value, low), high));
  }
}

// The same with one shift for all, which processors before AVX2 do many at a time.
NODE_VAE_CLONES void RequantizeEven(const int32_t* NODE_VAE_RESTRICT sums, const int32_t* NODE_VAE_RESTRICT start,
                                    int32_t shift, size_t count, int16_t low, int16_t high,
                                    int16_t* NODE_VAE_RESTRICT out) {
  for (size_t o = 0; o < count; ++o) {
    const int32_t value = (sums[o] + start[o]) >> shift;
    out[o] = static_cast<int16_t>(std::min<int32_t>(std::max<int32_t>(value, low), high));
  }
}

[[noreturn]] void Refuse(const std::string& name, const std::string& what) {
  throw Error(code::kFormat, "Layer \"" + name + "\" of the codec model " + what + ".");
}

}  // namespace

Dense::Dense(const std::string& name, const DenseSpec& spec, std::span<const int32_t> input_limits)
    : inputs_(spec.inputs), outputs_(spec.outputs), low_(spec.low), high_(spec.high) {
  if (inputs_ == 0 || outputs_ == 0 || inputs_ > kMaxWidth || outputs_ > kMaxWidth) {
    Refuse(name, "has an impossible size of " + std::to_string(outputs_) + " x " + std::to_string(inputs_));
  }
  if (spec.weights.size() != inputs_ * outputs_ || spec.bias.size() != outputs_ || spec.shift.size() != outputs_ ||
      input_limits.size() != inputs_) {
    Refuse(name, "has arrays of the wrong length for " + std::to_string(outputs_) + " x " + std::to_string(inputs_));
  }
  if (low_ > high_) Refuse(name, "has an empty output range");
  pairs_ = (inputs_ + 1) / 2;
  tiles_ = (outputs_ + kTile - 1) / kTile;
  packed_.assign(tiles_ * pairs_ * 2 * kTile, 0);
  start_.assign(tiles_ * kTile, 0);
  shift_.assign(tiles_ * kTile, 0);
  for (size_t o = 0; o < outputs_; ++o) {
    const int shift = spec.shift[o];
    if (shift > 30) Refuse(name, "shifts by more than 30");
    const int64_t half = shift == 0 ? 0 : int64_t{1} << (shift - 1);
    int64_t reach = std::abs(int64_t{spec.bias[o]}) + half;
    for (size_t i = 0; i < inputs_; ++i) {
      const int16_t weight = spec.weights[o * inputs_ + i];
      // -2^15 twice in a pair of inputs of -2^15 would be the one sum that overflows inside an instruction.
      if (weight == INT16_MIN) Refuse(name, "has a weight of -32768");
      reach += std::abs(int64_t{weight}) * input_limits[i];
      packed_[((o / kTile * pairs_ + i / 2) * kTile + o % kTile) * 2 + i % 2] = weight;
    }
    if (reach > INT32_MAX) Refuse(name, "can overflow 32 bits at output " + std::to_string(o));
    start_[o] = static_cast<int32_t>(spec.bias[o] + half);
    shift_[o] = shift;
  }
  even_shift_ = std::all_of(spec.shift.begin(), spec.shift.end(), [&](uint8_t s) { return s == spec.shift[0]; });
  kernel_ = ChooseMatrixKernel();
}

int32_t Dense::output_limit() const noexcept {
  return std::max(std::abs(static_cast<int32_t>(low_)), std::abs(static_cast<int32_t>(high_)));
}

void Dense::Run(const int16_t* inputs, size_t rows, int16_t* outputs, size_t output_stride, int32_t* scratch) const {
  kernel_(inputs, input_stride(), rows, packed_.data(), pairs_, tiles_, scratch);
  const size_t width = tiles_ * kTile;
  for (size_t r = 0; r < rows; ++r) {
    int16_t* out = outputs + r * output_stride;
    const int32_t* sums = scratch + r * width;
    if (even_shift_) {
      RequantizeEven(sums, start_.data(), shift_[0], outputs_, low_, high_, out);
    } else {
      Requantize(sums, start_.data(), shift_.data(), outputs_, low_, high_, out);
    }
    std::fill(out + outputs_, out + output_stride, int16_t{0});
  }
}

}  // namespace node_vae::coder
