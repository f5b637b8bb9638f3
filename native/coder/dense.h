#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "coder/cache_lines.h"
#include "coder/dense_kernel.h"

namespace node_vae::coder {

// A fully connected layer in integers:
//   y[o] = clamp((bias[o] + sum_i weight[o][i] * x[i] + half) >> shift[o], low, high),
// half = 2^(shift - 1), or 0 where shift is 0. The numbers are checked once so that no sum can leave
// 32 bits for inputs in [-input_limit, input_limit]; then every order of summation gives the same.
struct DenseSpec {
  size_t inputs = 0;
  size_t outputs = 0;
  std::span<const int16_t> weights;  // [outputs][inputs]
  std::span<const int32_t> bias;     // [outputs]
  std::span<const uint8_t> shift;    // [outputs], each at most 30
  int16_t low = 0;
  int16_t high = 0;
};

class Dense {
 public:
  Dense() = default;
  // Copies the numbers. Throws Error(kFormat) naming `name` when they do not fit together.
  // `input_limits` gives the largest magnitude of each input.
  Dense(const std::string& name, const DenseSpec& spec, std::span<const int32_t> input_limits);

  size_t inputs() const noexcept { return inputs_; }
  size_t outputs() const noexcept { return outputs_; }
  // Elements a row of inputs takes at least; what lies beyond inputs() does not matter.
  size_t input_stride() const noexcept { return (inputs_ + 1) / 2 * 2; }
  // The largest magnitude of any output.
  int32_t output_limit() const noexcept;
  // Words of scratch that Run() needs for so many rows.
  size_t scratch(size_t rows) const noexcept { return layout().scratch(rows); }

  // Rows from and to where `rows` says; what is beyond outputs() in a row's room may be written too.
  void Run(const DenseRows& rows, uint64_t* scratch) const { kernel_(layout(), rows, scratch); }

 private:
  DenseLayout layout() const noexcept {
    return {order_, weights_.data(), start_.data(), shift_.data(), inputs_, outputs_, low_, high_};
  }
  // Where a weight is among weights_, and an output among start_ and shift_.
  size_t WeightAt(size_t output, size_t input) const noexcept;
  size_t SumAt(size_t output) const noexcept;

  size_t inputs_ = 0;
  size_t outputs_ = 0;
  int16_t low_ = 0;
  int16_t high_ = 0;
  DenseOrder order_ = DenseOrder::kPairs;
  CacheLines<int16_t> weights_;
  CacheLines<int32_t> start_;  // bias + half
  CacheLines<int32_t> shift_;
  DenseKernel kernel_ = nullptr;
};

// One output of a layer by itself.
class DenseOutput {
 public:
  DenseOutput() = default;
  // Of a layer that Dense has taken.
  DenseOutput(const DenseSpec& spec, size_t output);

  // Elements of a row that are read, whatever lies beyond the layer's inputs.
  size_t reach() const noexcept { return weights_.size(); }
  // One number of each row.
  void Run(const int16_t* inputs, size_t stride, size_t rows, int32_t* outputs) const;

 private:
  int32_t start_ = 0;
  int shift_ = 0;
  int32_t low_ = 0;
  int32_t high_ = 0;
  CacheLines<int16_t> weights_;
  DotKernel kernel_ = nullptr;
};

}  // namespace node_vae::coder
