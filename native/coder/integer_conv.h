#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "coder/dense.h"

// Convolutions in integers: the fully connected layer of dense.h at every place of a picture. Values
// are [height][width][channels].
namespace node_vae::coder {

struct IntegerConvSpec {
  // 1, 3 or 5; what lies outside the picture is 0.
  size_t kernel = 1;
  // Whether the layer doubles height and width: outputs of a place are its 2 x 2 block, row by row,
  // each with a quarter of the channels (Shi et al. 2016, arXiv:1609.05158).
  bool doubles = false;
  // Inputs are kernel x kernel places, row by row, each with all channels.
  DenseSpec dense;
};

// A chain of convolutions. Immutable and shared by any number of threads.
class IntegerConvNet {
 public:
  IntegerConvNet() = default;
  // Throws Error(kFormat) when the layers do not fit together, or could overflow for inputs in
  // [-input_limit, input_limit].
  IntegerConvNet(const std::string& name, std::span<const IntegerConvSpec> specs, size_t channels, int32_t input_limit);

  size_t channels() const noexcept { return channels_; }
  // Channels of the result; its height and width are `scale()` times the input's.
  size_t outputs() const noexcept { return outputs_; }
  size_t scale() const noexcept { return scale_; }
  std::vector<int16_t> Run(std::vector<int16_t> values, size_t height, size_t width) const;

 private:
  struct Layer {
    size_t kernel;
    bool doubles;
    size_t channels;
    Dense dense;
  };
  std::vector<Layer> layers_;
  size_t channels_ = 0;
  size_t outputs_ = 0;
  size_t scale_ = 1;
};

}  // namespace node_vae::coder
