#include "coder/photo/tile_planes.h"

#include <algorithm>

namespace node_vae::coder {

TilePlanes::TilePlanes(size_t width, size_t height, size_t planes, int bits)
    : width_(width),
      height_(height),
      stride_(static_cast<ptrdiff_t>(width + 2 * kBeside)),
      plane_(stride_ * static_cast<ptrdiff_t>(height + kAbove)),
      numbers_(static_cast<size_t>(plane_) * 2 * planes, 0) {
  // Before anything is known everything is half of the range.
  for (size_t plane = 0; plane < planes; ++plane) {
    int32_t* values = numbers_.data() + Distance(plane, false, {0, 0});
    std::fill(values, values + plane_, kOne << (bits - 1));
  }
}

void TilePlanes::Set(size_t plane, size_t x, size_t y, int32_t value, int32_t error) noexcept {
  int32_t* at = At(x, y) + Distance(plane, false, {0, 0});
  at[0] = value;
  at[plane_] = error;
  if (y == 0) {
    // Above the first row stands what is to the left.
    for (size_t above = 1; above <= kAbove; ++above) {
      int32_t* row = at - static_cast<ptrdiff_t>(above) * stride_;
      const size_t first = x == 0 ? 0 : 1;
      for (size_t right = first; right <= kBeside; ++right) row[right] = value;
      if (x == 0) std::fill(row - kBeside, row, value);
    }
    if (x == 0) std::fill(at - kBeside, at, value);
  }
  // To the left of a row stands the first value of the row above it.
  if (x == 0 && y + 1 < height_) std::fill(at + stride_ - kBeside, at + stride_, value);
  if (x + 1 == width_) {
    std::fill(at + 1, at + 1 + kBeside, value);
    std::fill(at + plane_ + 1, at + plane_ + 1 + kBeside, error);
  }
}

}  // namespace node_vae::coder
