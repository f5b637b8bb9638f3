#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/simd_kernels.h"

namespace node_vae {

// Convolutions and their gradients without unfolding the image: a row of the image, shifted by the place
// under the kernel, is read as a vector where it lies. For that the image is copied with its padding, and
// with stride s in s copies of every s-th element, so that what one step of the kernel reads is
// contiguous. Sums of products then run over rows of a tile of channels and vectors of places.

// One, two or three dimensions, written as three; the first ones have length 1.
using Dims = std::array<int64_t, 3>;

// `image` is the larger side, `map` the one that strides make smaller; `pad` lies in front of the image.
struct ConvShape {
  int64_t batch = 0;
  int64_t groups = 1;
  int64_t image_channels = 0;  // of all groups
  int64_t map_channels = 0;
  Dims image{1, 1, 1};
  Dims map{1, 1, 1};
  Dims kernel{1, 1, 1};
  Dims stride{1, 1, 1};
  Dims dilation{1, 1, 1};
  Dims pad{0, 0, 0};

  int64_t taps() const noexcept { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t image_places() const noexcept { return image[0] * image[1] * image[2]; }
  int64_t map_places() const noexcept { return map[0] * map[1] * map[2]; }
  int64_t weight_count() const noexcept { return map_channels * (image_channels / groups) * taps(); }

  friend bool operator==(const ConvShape&, const ConvShape&) = default;
};

// Copies of one channel with its padding, in planes of rows that follow one another without gaps.
struct PaddedPlanes {
  struct Plane {
    // Element (a, b, c) is (a, b, c) * step + origin of the channel, or zero outside it.
    Dims origin{0, 0, 0};
  };
  Dims source{1, 1, 1};
  Dims step{1, 1, 1};
  Dims size{1, 1, 1};
  std::vector<Plane> planes;

  int64_t plane_floats() const noexcept { return size[0] * size[1] * size[2]; }
  int64_t channel_floats() const noexcept { return plane_floats() * static_cast<int64_t>(planes.size()); }
  // `to` held zeros, or the same of another channel.
  void Pack(const float* channel, float* to) const noexcept;
};

// From map to image or from image to map: for each place of the result, the sum over channels and taps.
class ConvSum {
 public:
  enum class Result { kMap, kImage };

  // Takes the vectors that waste fewer lanes.
  ConvSum(const ConvShape& shape, Result result, const SimdKernels& kernels);

  const ConvShape& shape() const noexcept { return shape_; }

  // weight [map channels, image channels / groups, taps]; bias of the result's channels, or null.
  void Run(const float* input, const float* weight, const float* bias, float* output, Parallel& parallel) const;

 private:
  // A stretch of lanes of a vector, and where it goes in a channel of the result.
  struct Segment {
    int32_t lane;
    int32_t count;
    int32_t to;
  };
  struct Vector {
    int32_t start;
    int32_t first_segment;
    int32_t segments;
  };
  // Places of the result that see the same taps: with Result::kMap all of them.
  struct Phase {
    std::vector<int32_t> offsets;  // of the taps, in a padded channel
    std::vector<int32_t> taps;
    std::vector<Vector> vectors;
    std::vector<Segment> segments;
    int64_t weights_at = 0;
  };

  void Plan();
  void PlanMap();
  void PlanImage();
  void AddVectors(Phase& phase, const Dims& base, const Dims& count, const Dims& first, const Dims& step);
  void PackWeights(const float* weight, float* packed, Parallel& parallel) const;
  void RunTask(int64_t first_image, int64_t images, int64_t first_block, int64_t end_block, const float* input,
               const float* packed, const float* bias, float* output, float* padded) const;
  void Store(const Phase& phase, const Vector& vector, const float* sums, float bias, float* to) const noexcept;
  size_t BlockRows(int64_t block) const noexcept;
  int64_t LanesInUse() const noexcept;

  ConvShape shape_;
  Result result_;
  const TileKernels* kernels_;
  int64_t in_channels_;   // per group
  int64_t out_channels_;  // per group
  int64_t out_places_;
  int64_t out_stride_;  // between neighbours of a segment
  PaddedPlanes padded_;
  std::vector<Phase> phases_;
  int64_t blocks_ = 0;         // of channels of the result
  int64_t group_weights_ = 0;  // floats of one group's packed weights
};

// Gradient of the weight, and of the bias: sums over batch and places.
class ConvWeightGradient {
 public:
  ConvWeightGradient(const ConvShape& shape, const SimdKernels& kernels);

  const ConvShape& shape() const noexcept { return shape_; }

  // weight_gradient [map channels, image channels / groups, taps]; bias_gradient [map channels], or null.
  void Run(const float* image, const float* map, float* weight_gradient, float* bias_gradient,
           Parallel& parallel) const;

 private:
  struct Sums;
  void RunTask(int64_t first_image, int64_t images, int64_t first_row, int64_t end_row, const float* image,
               const float* map, const Sums& sums, float* scratch) const;
  // Rows of the map that make a tile, and how many of them there really are.
  struct Block {
    int64_t real;
    int64_t tile;
  };
  Block BlockRows(int64_t row, int64_t end_row) const noexcept;
  void AddBlock(int64_t row, Block block, int64_t images, const float* map, const float* padded,
                const int32_t* starts, const Sums& sums, float* left) const;
  void PackRow(const float* channel, int64_t rows, float* to) const noexcept;

  ConvShape shape_;
  const TileKernels& kernels_;
  float (*sum_)(const float* values, size_t count);
  PaddedPlanes padded_;
  std::vector<int32_t> offsets_;  // of the taps
  // Runs of places that are contiguous in map and padded image, in whole vectors: rows of the map, or all of
  // it with zeros where the padded image has gaps between rows.
  bool has_gaps_ = false;
  std::vector<int32_t> runs_;  // where those of one channel of the padded image begin
  int64_t vectors_ = 0;        // in a run
  int64_t chunk_ = 1;  // images padded at a time
};

}  // namespace node_vae
