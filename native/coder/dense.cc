#include "coder/dense.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace node_vae::coder {

namespace {

constexpr size_t kMaxWidth = size_t{1} << 22;

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
  const DenseKernels kernels = ChooseDenseKernels();
  const bool by_inputs = kernels.ByInputs(inputs_, outputs_);
  order_ = by_inputs ? DenseOrder::kInputs : DenseOrder::kPairs;
  kernel_ = by_inputs ? kernels.by_inputs : kernels.by_pairs;
  const size_t padded = by_inputs ? layout().blocks() * kBlock : layout().tiles() * kTile;
  weights_ = CacheLines<int16_t>(padded * (by_inputs ? inputs_ : layout().pairs() * 2));
  start_ = CacheLines<int32_t>(padded);
  shift_ = CacheLines<int32_t>(padded);
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
      weights_[WeightAt(o, i)] = weight;
    }
    if (reach > INT32_MAX) Refuse(name, "can overflow 32 bits at output " + std::to_string(o));
    start_[SumAt(o)] = static_cast<int32_t>(spec.bias[o] + half);
    shift_[SumAt(o)] = shift;
  }
}

size_t Dense::WeightAt(size_t output, size_t input) const noexcept {
  const bool by_inputs = order_ == DenseOrder::kInputs;
  const size_t width = by_inputs ? kBlock : kTile;
  const size_t most = by_inputs ? kGroupBlocks : kGroupTiles;
  const size_t unit = output / width;
  const size_t group = unit / most * most;
  const size_t together = std::min(most, (outputs_ + width - 1) / width - group);
  const size_t steps = by_inputs ? inputs_ : (inputs_ + 1) / 2;
  const size_t step = by_inputs ? input : input / 2;
  const size_t at = (group * steps + step * together + (unit - group)) * width + output % width;
  return by_inputs ? at : at * 2 + input % 2;
}

size_t Dense::SumAt(size_t output) const noexcept {
  return order_ == DenseOrder::kPairs ? output : output / kBlock * kBlock + BlockLane(output % kBlock);
}

DenseOutput::DenseOutput(const DenseSpec& spec, size_t output)
    : shift_(spec.shift[output]),
      low_(spec.low),
      high_(spec.high),
      weights_((spec.inputs + kDotWidth - 1) / kDotWidth * kDotWidth),
      kernel_(ChooseDenseKernels().dot) {
  start_ = spec.bias[output] + (shift_ == 0 ? 0 : 1 << (shift_ - 1));
  for (size_t i = 0; i < spec.inputs; ++i) weights_[i] = spec.weights[output * spec.inputs + i];
}

void DenseOutput::Run(const int16_t* inputs, size_t stride, size_t rows, int32_t* outputs) const {
  kernel_(inputs, stride, rows, weights_.data(), weights_.size(), outputs);
  for (size_t r = 0; r < rows; ++r) outputs[r] = std::clamp((outputs[r] + start_) >> shift_, low_, high_);
}

int32_t Dense::output_limit() const noexcept {
  return std::max(std::abs(static_cast<int32_t>(low_)), std::abs(static_cast<int32_t>(high_)));
}

}  // namespace node_vae::coder
