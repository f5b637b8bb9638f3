#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "coder/matrix_kernel.h"

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
  // Elements a row of inputs takes; what lies beyond inputs() must be zero.
  size_t input_stride() const noexcept { return pairs_ * 2; }
  // The largest magnitude of any output.
  int32_t output_limit() const noexcept;
  // int32 scratch that Run() needs for so many rows.
  size_t scratch(size_t rows) const noexcept { return rows * tiles_ * kTile; }

  // Rows of `output_stride` elements each; at least outputs() of them are written, and zeros follow
  // up to `output_stride`.
  void Run(const int16_t* inputs, size_t rows, int16_t* outputs, size_t output_stride, int32_t* scratch) const;

 private:
  size_t inputs_ = 0;
  size_t outputs_ = 0;
  size_t pairs_ = 0;
  size_t tiles_ = 0;
  int16_t low_ = 0;
  int16_t high_ = 0;
  bool even_shift_ = false;  // every output has the same shift
  std::vector<int16_t> packed_;
  std::vector<int32_t> start_;  // bias + half
  std::vector<int32_t> shift_;
  MatrixKernel kernel_ = nullptr;
};

}  // namespace node_vae::coder
