#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/dense.h"

namespace node_vae::coder {

// A chain of layers with its scratch sizes.
class DenseStack {
 public:
  DenseStack() = default;
  DenseStack(const char* name, const std::vector<DenseSpec>& specs, std::vector<int32_t> input_limits);

  size_t input_stride() const noexcept { return layers_.front().input_stride(); }
  size_t outputs() const noexcept { return layers_.back().outputs(); }
  int32_t output_limit() const noexcept { return layers_.back().output_limit(); }

  struct Scratch {
    std::vector<uint64_t> masks;
    std::vector<int16_t> first;
    std::vector<int16_t> second;
  };
  void Run(const DenseRows& rows, Scratch& scratch) const;
  // Rows of input_stride() to rows of `output_stride` >= outputs(); what is beyond those may be written too.
  void Run(const int16_t* inputs, size_t rows, int16_t* outputs, size_t output_stride, Scratch& scratch) const {
    Run({inputs, input_stride(), rows, outputs, output_stride, output_stride}, scratch);
  }

 private:
  std::vector<Dense> layers_;
  size_t widest_ = 0;
};

}  // namespace node_vae::coder
