#pragma once

#include <cstddef>
#include <cstdint>

// Products of 8-bit integers for fully connected layers. The sums are of whole numbers: the same on every processor.
namespace node_vae {

// Inputs whose weights for one output lie together.
inline constexpr size_t kInt8Group = 4;
// Weights are within ±this: 2 · 255 · 64, two products of the older instructions, still fits into 16 bits.
inline constexpr int kLargestInt8Weight = 64;

// out = (bias + x · w) · scales for some rows, and some strips of kStrip outputs one after another.
struct Int8Product {
  const uint8_t* x = nullptr;  // [rows, groups * kInt8Group], rows at x_stride
  size_t x_stride = 0;
  size_t rows = 0;
  size_t groups = 0;
  const int8_t* weights = nullptr;  // [strip][group][kStrip][kInt8Group]
  const int32_t* bias = nullptr;    // [strips * kStrip], what the zero point of x adds taken off
  const float* scales = nullptr;    // [strips * kStrip]
  size_t strips = 0;
  float* out = nullptr;  // [rows, strips * kStrip], rows at out_stride
  size_t out_stride = 0;
};

struct Int8Kernels {
  const char* name;
  void (*dense)(const Int8Product& product);
  size_t rows;  // that it computes together, at most kMostDenseRows
  // ONNX QuantizeLinear: x / scale to the nearest whole number, ties to even, plus zero, within 0 to 255.
  void (*round)(const float* x, size_t count, float scale, int zero, uint8_t* to);
};

// The fastest set that this processor has; null where ONNX Runtime's own are as good as any here. NODE_VAE_KERNELS_ISA
// sets a limit (see simd_kernels.h).
const Int8Kernels* ChooseInt8Kernels();

#if defined(NODE_VAE_KERNELS_X86)
extern const Int8Kernels kAvx2Int8Kernels;
extern const Int8Kernels kVnniInt8Kernels;
#endif

}  // namespace node_vae
