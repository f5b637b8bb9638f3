#include "coder/local_network.h"

#include <algorithm>

#include "coder/demand.h"
#include "coder/distributions.h"

namespace node_vae::coder {

LocalNetwork::LocalNetwork(const std::vector<DenseSpec>& layers, size_t neighbours, size_t features,
                           int32_t feature_limit, size_t components) {
  Demand(layers.size() >= 2, "its local network has fewer than two layers");
  Demand(layers.front().inputs == neighbours + features, "its local network does not take neighbours and features");
  std::vector<int32_t> limits(neighbours, 255);
  limits.insert(limits.end(), features, feature_limit);
  hidden_ = DenseStack("local", {layers.begin(), layers.end() - 1}, limits);
  limits.assign(hidden_.outputs(), hidden_.output_limit());
  limits.insert(limits.end(), neighbours, 255);
  Demand(layers.back().inputs == limits.size(), "its last local layer does not take the one before and neighbours");
  last_ = Dense("local.last", layers.back(), limits);
  Demand(last_.outputs() == 3 * components + 1, "its local network does not give a mixture");
  zero_ = DenseOutput(layers.back(), last_.outputs() - 1);
  inputs_ = hidden_.outputs();
  const auto eights = [](size_t count) { return (count + 7) / 8 * 8; };
  const size_t row = std::max({inputs_ + eights(neighbours), inputs_ + neighbours + eights(features), zero_.reach()});
  stride_ = (row + kDotWidth - 1) / kDotWidth * kDotWidth;
}

void LocalNetwork::Run(int16_t* rows, size_t count, uint32_t* zero_shares, Scratch& scratch) const {
  hidden_.Run({rows + inputs_, stride_, count, rows, stride_, inputs_}, scratch.stack);
  if (scratch.sums.size() < count) scratch.sums.resize(count);
  zero_.Run(rows, stride_, count, scratch.sums.data());
  for (size_t i = 0; i < count; ++i) zero_shares[i] = PixelMixture::ZeroShare(static_cast<int16_t>(scratch.sums[i]));
}

void LocalNetwork::RunMixtures(const int16_t* rows, const uint32_t* which, size_t count, int16_t* raw,
                               Scratch& scratch) const {
  if (scratch.masks.size() < last_.scratch(count)) scratch.masks.resize(last_.scratch(count));
  // Side by side, as the layer takes them.
  if (scratch.rows.size() < count * stride_) scratch.rows.resize(count * stride_);
  for (size_t i = 0; i < count; ++i) {
    std::copy_n(rows + which[i] * stride_, last_.input_stride(), scratch.rows.data() + i * stride_);
  }
  last_.Run({scratch.rows.data(), stride_, count, raw, raw_size(), raw_size()}, scratch.masks.data());
}

}  // namespace node_vae::coder
