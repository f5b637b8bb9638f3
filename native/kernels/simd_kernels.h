#pragma once

#include <cstddef>
#include <cstdint>

// The inner loops of training and of fully connected networks, compiled once for each instruction set and chosen when they run. They add
// in an order that depends on the instruction set, but neither on threads nor on chance.
namespace node_vae {

// Vectors in a tile of `correlate` and of `accumulate`.
inline constexpr size_t kTileVectors = 3;
inline constexpr size_t kMaxTileRows = 8;
inline constexpr size_t kMaxLanes = 16;

enum class Activation : int64_t { kNone = 0, kSilu = 1 };

// One group of one example: `channels` rows of `places` values that are normalised together.
struct NormGroup {
  size_t channels = 0;
  size_t places = 0;
  const float* scale = nullptr;  // [channels]
  const float* shift = nullptr;  // [channels]
  Activation activation = Activation::kNone;
};

// Sums of products over tiles of rows and vectors.
struct TileKernels {
  size_t lanes;  // floats in a vector
  size_t rows;   // rows of a tile

  // out[r][v] = sum over c and t of weights[c][t][r] * bases[v][c * channel_stride + taps[t]], vectors at
  // a time; `rows` is this->rows, half of it, or 1.
  void (*correlate)(size_t rows, const float* const* bases, const int32_t* taps, size_t tap_count, size_t channels,
                    size_t channel_stride, const float* weights, float* out);

  // sums[r][v] = sum over k of left[k][r] * right[v][k], where k runs over `runs` stretches of `vectors`
  // vectors. Vectors of `left` follow one another, its rows side by side; stretches of `right` begin at
  // `starts`. `rows` as above.
  void (*accumulate)(size_t rows, const float* left, const float* const* right, const int32_t* starts, size_t runs,
                     size_t vectors, float* sums);
};

// Outputs of a fully connected layer that lie together in its packed weights: [strip][input][kStrip].
inline constexpr size_t kStrip = 16;
// Strips that are computed together.
inline constexpr size_t kDenseStrips = 4;
// Rows, likewise, at most.
inline constexpr size_t kMostDenseRows = 12;

// out = bias + x · w for some rows, and some strips one after another.
struct DenseProduct {
  const float* x = nullptr;  // [rows, inputs], rows at x_stride
  size_t x_stride = 0;
  size_t rows = 0;
  size_t inputs = 0;
  const float* weights = nullptr;
  const float* bias = nullptr;  // [strips * kStrip]
  size_t strips = 0;
  float* out = nullptr;  // [rows, strips * kStrip], rows at out_stride
  size_t out_stride = 0;
};

struct SimdKernels {
  const char* name;
  TileKernels wide;
  // Vectors of half as many lanes where the processor has them as well, or the same.
  TileKernels narrow;

  float (*sum)(const float* values, size_t count);

  void (*dense)(const DenseProduct& product);
  // Rows that it computes together.
  size_t dense_rows;

  // Wu and He 2018, equations 1 to 3, then the activation; writes the statistics that backward needs.
  void (*norm_forward)(const NormGroup& group, float epsilon, const float* x, float* y, float* mean, float* inverse);
  // Gradient of all that: `scale_gradient` and `shift_gradient` are [channels], of this example alone.
  void (*norm_backward)(const NormGroup& group, float mean, float inverse, const float* x, const float* gradient,
                        float* x_gradient, float* scale_gradient, float* shift_gradient);
};

// The fastest set that this processor has; the environment variable NODE_VAE_KERNELS_ISA (generic, avx2,
// avx512) sets a limit, for tests.
const SimdKernels& ChooseSimdKernels();

extern const SimdKernels kGenericKernels;
#if defined(NODE_VAE_KERNELS_X86)
extern const SimdKernels kAvx2Kernels;
extern const SimdKernels kAvx512Kernels;
#endif

}  // namespace node_vae
