#include <algorithm>
#include <cstring>

#include "kernels/conv_plan.h"
#include "kernels/convolution.h"

namespace node_vae {
namespace {

struct Range {
  int64_t begin;
  int64_t end;
};

// Indices i of [0, size) for which i * step + origin lies in [0, source).
Range Inside(int64_t size, int64_t step, int64_t origin, int64_t source) {
  const int64_t begin = origin >= 0 ? 0 : (-origin + step - 1) / step;
  const int64_t end = source <= origin ? 0 : (source - origin + step - 1) / step;
  const int64_t clipped = std::min(begin, size);
  return {clipped, std::clamp(end, clipped, size)};
}

void CopyEvery(const float* from, int64_t step, int64_t count, float* to) {
  if (step == 1) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
  } else if (step == 2) {
    for (int64_t i = 0; i < count; ++i) to[i] = from[2 * i];
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[step * i];
  }
}

}  // namespace

void PaddedPlanes::Pack(const float* channel, float* to) const noexcept {
  for (const Plane& plane : planes) {
    const Range outer = Inside(size[0], step[0], plane.origin[0], source[0]);
    const Range middle = Inside(size[1], step[1], plane.origin[1], source[1]);
    const Range inner = Inside(size[2], step[2], plane.origin[2], source[2]);
    const int64_t count = inner.end - inner.begin;
    if (count > 0) {
      for (int64_t a = outer.begin; a < outer.end; ++a) {
        for (int64_t b = middle.begin; b < middle.end; ++b) {
          const int64_t row = (a * step[0] + plane.origin[0]) * source[1] + b * step[1] + plane.origin[1];
          CopyEvery(channel + row * source[2] + inner.begin * step[2] + plane.origin[2], step[2], count,
                    to + (a * size[1] + b) * size[2] + inner.begin);
        }
      }
    }
    to += plane_floats();
  }
}

PaddedPlanes PadImage(const ConvShape& shape, std::vector<int32_t>& offsets) {
  PaddedPlanes padded;
  padded.source = shape.image;
  padded.step = shape.stride;
  for (size_t axis = 0; axis < 3; ++axis) {
    padded.size[axis] = shape.map[axis] + (shape.kernel[axis] - 1) * shape.dilation[axis] / shape.stride[axis];
  }
  std::vector<Dims> remainders;
  ForEachTap(shape, [&](int64_t, const Dims& at) {
    Dims remainder{};
    int64_t offset = 0;
    for (size_t axis = 0; axis < 3; ++axis) {
      const int64_t place = at[axis] * shape.dilation[axis];
      remainder[axis] = place % shape.stride[axis];
      offset = offset * padded.size[axis] + place / shape.stride[axis];
    }
    const auto found = std::find(remainders.begin(), remainders.end(), remainder);
    const int64_t plane = found - remainders.begin();
    if (found == remainders.end()) {
      remainders.push_back(remainder);
      PaddedPlanes::Plane added;
      for (size_t axis = 0; axis < 3; ++axis) added.origin[axis] = remainder[axis] - shape.pad[axis];
      padded.planes.push_back(added);
    }
    offsets.push_back(static_cast<int32_t>(plane * padded.plane_floats() + offset));
  });
  return padded;
}

}  // namespace node_vae
