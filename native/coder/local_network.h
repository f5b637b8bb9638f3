#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/dense.h"
#include "coder/dense_stack.h"

namespace node_vae::coder {

// The network that makes a value's distribution of its neighbours and features. What it takes, and what its last layer
// takes, lie in one row:
//   [outputs of the layer before the last][neighbours][features]
// Of the last layer the share of 0 is computed for every value, the rest where it is asked for.
class LocalNetwork {
 public:
  LocalNetwork() = default;
  // Layers as ItemModelSpec::local has them. Throws Error(kFormat) when they do not fit together.
  LocalNetwork(const std::vector<DenseSpec>& layers, size_t neighbours, size_t features, int32_t feature_limit,
               size_t components);

  // Elements from one row to the next.
  size_t stride() const noexcept { return stride_; }
  // Where a row's neighbours begin; features follow them. Up to seven elements behind either may be written.
  size_t inputs() const noexcept { return inputs_; }
  // The raw numbers of PixelMixture.
  size_t raw_size() const noexcept { return last_.outputs(); }

  struct Scratch {
    DenseStack::Scratch stack;
    std::vector<uint64_t> masks;
    std::vector<int32_t> sums;
    std::vector<int16_t> rows;
  };
  // All layers but the last, and of the last the share of 0 of each row.
  void Run(int16_t* rows, size_t count, uint32_t* zero_shares, Scratch& scratch) const;
  // After Run(): raw [count][raw_size()] of the rows that `which` names.
  void RunMixtures(const int16_t* rows, const uint32_t* which, size_t count, int16_t* raw, Scratch& scratch) const;

 private:
  DenseStack hidden_;
  Dense last_;
  DenseOutput zero_;
  size_t inputs_ = 0;
  size_t stride_ = 0;
};

}  // namespace node_vae::coder
