#pragma once

#include "kernels/convolution.h"

namespace node_vae {

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls body(tap, place) for every place under the kernel, in the weight's order.
template <typename Body>
void ForEachTap(const ConvShape& shape, const Body& body) {
  int64_t tap = 0;
  for (int64_t a = 0; a < shape.kernel[0]; ++a) {
    for (int64_t b = 0; b < shape.kernel[1]; ++b) {
      for (int64_t c = 0; c < shape.kernel[2]; ++c, ++tap) body(tap, Dims{a, b, c});
    }
  }
}

// An image so that what one tap reads, for the map's places in order, lies in one plane; a plane for each
// position modulo the stride that a tap reads. Place (0, 0, 0) of the map reads element `offset` of the
// channel.
PaddedPlanes PadImage(const ConvShape& shape, std::vector<int32_t>& offsets);

}  // namespace node_vae
