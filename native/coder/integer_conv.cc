#include "coder/integer_conv.h"

#include <algorithm>
#include <utility>

#include "coder/demand.h"
#include "core/error.h"

namespace node_vae::coder {

IntegerConvNet::IntegerConvNet(const std::string& name, std::span<const IntegerConvSpec> specs, size_t channels,
                               int32_t input_limit)
    : channels_(channels), outputs_(channels) {
  Demand(specs.size() <= 16, name + " has too many layers");
  for (size_t i = 0; i < specs.size(); ++i) {
    const IntegerConvSpec& spec = specs[i];
    Demand(spec.kernel == 1 || spec.kernel == 3 || spec.kernel == 5, name + " has a kernel that is not 1, 3 or 5 wide");
    const size_t inputs = spec.kernel * spec.kernel * outputs_;
    Demand(spec.dense.inputs == inputs, name + "'s layers do not fit together");
    Demand(!spec.doubles || spec.dense.outputs % 4 == 0, name + " has a doubling layer without four parts");
    const std::vector<int32_t> limits(inputs, input_limit);
    Dense dense(name + "." + std::to_string(i), spec.dense, limits);
    input_limit = dense.output_limit();
    layers_.push_back({spec.kernel, spec.doubles, outputs_, std::move(dense)});
    outputs_ = spec.doubles ? spec.dense.outputs / 4 : spec.dense.outputs;
    if (spec.doubles) scale_ *= 2;
  }
}

std::vector<int16_t> IntegerConvNet::Run(std::vector<int16_t> values, size_t height, size_t width) const {
  std::vector<int16_t> rows;
  std::vector<int16_t> outputs;
  std::vector<uint64_t> masks;
  for (const Layer& layer : layers_) {
    const size_t stride = layer.dense.input_stride();
    const size_t channels = layer.channels;
    const auto reach = static_cast<ptrdiff_t>(layer.kernel / 2);
    const size_t block = layer.dense.outputs();
    const size_t parts = layer.doubles ? 2 : 1;
    const size_t made = block / (parts * parts);
    std::vector<int16_t> next(height * parts * width * parts * made);
    rows.assign(width * stride, 0);
    outputs.resize(width * block);
    masks.resize(layer.dense.scratch(width));
    // A row of the picture at a time: little memory, whatever its size.
    for (size_t y = 0; y < height; ++y) {
      for (size_t x = 0; x < width; ++x) {
        int16_t* to = rows.data() + x * stride;
        for (ptrdiff_t dy = -reach; dy <= reach; ++dy) {
          for (ptrdiff_t dx = -reach; dx <= reach; ++dx, to += channels) {
            const ptrdiff_t row = static_cast<ptrdiff_t>(y) + dy;
            const ptrdiff_t column = static_cast<ptrdiff_t>(x) + dx;
            if (row < 0 || row >= static_cast<ptrdiff_t>(height) || column < 0 ||
                column >= static_cast<ptrdiff_t>(width)) {
              std::fill_n(to, channels, int16_t{0});
            } else {
              std::copy_n(values.data() + (static_cast<size_t>(row) * width + static_cast<size_t>(column)) * channels,
                          channels, to);
            }
          }
        }
      }
      layer.dense.Run({rows.data(), stride, width, outputs.data(), block, block}, masks.data());
      for (size_t x = 0; x < width; ++x) {
        for (size_t part = 0; part < parts * parts; ++part) {
          const size_t row = y * parts + part / parts;
          const size_t column = x * parts + part % parts;
          std::copy_n(outputs.data() + x * block + part * made, made,
                      next.data() + (row * width * parts + column) * made);
        }
      }
    }
    values = std::move(next);
    height *= parts;
    width *= parts;
  }
  return values;
}

}  // namespace node_vae::coder
