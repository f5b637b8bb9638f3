#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace node_vae::pictures {

// Two pictures of one size, [height, width, channels] bytes, borrowed.
struct Pair {
  const uint8_t* a;
  const uint8_t* b;
  size_t width;
  size_t height;
  size_t channels;
};

inline constexpr size_t kScales = 5;
// Pixels of a side that the smallest scale needs for one window.
inline constexpr size_t kLeastSide = 11u << (kScales - 1);

struct Difference {
  double squares = 0;  // the sum of squared differences
  // Means of contrast and structure at each scale, at the last one times luminance; 0 for pictures that are too small.
  std::array<double, kScales> means = {};
};

// What one channel's PSNR and MS-SSIM are made of (Wang, Simoncelli and Bovik 2003, equations 2 to 7). Row by row at
// all scales at once: memory is that of some hundred rows, however high the picture is.
Difference Compare(const Pair& pair, size_t channel);

}  // namespace node_vae::pictures
