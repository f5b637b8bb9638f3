#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "coder/matrix_kernel.h"
#include "coder/photo/tile_planes.h"

// A linear prediction that learns a tile while it goes: for each block of samples the least squares of what was coded
// above it. Products of integers are summed exactly; the equations are solved in float64, every operation alone, rounded
// once and in a fixed order, and so the same on every processor.
namespace node_vae::coder {

// A neighbour, and the sample whose value is taken off it.
struct Difference {
  size_t plane;
  Place place;
  size_t base_plane;
  Place base;
};

struct BlockPredictorSpec {
  // The plane that is predicted; its left neighbour is what differences of the prediction are taken from.
  size_t plane = 0;
  std::vector<Difference> differences;
  // Sums of products of the normalised differences and, last, the target, of samples such as were learned from: what is
  // assumed until a tile says otherwise. [n + 1][n + 1], symmetric.
  std::span<const int32_t> prior;
};

class BlockPredictor {
 public:
  static constexpr size_t kBlockWidth = 16;
  static constexpr size_t kBlockHeight = 8;
  static constexpr size_t kMostDifferences = 31;

  BlockPredictor(const BlockPredictorSpec& spec, const TilePlanes& planes, size_t width);

  size_t count() const noexcept { return count_; }

  // Makes what Predict() needs for the block at column `bx` of the next band. All blocks of the band above, up to the one
  // beside it, have been learned, and nobody predicts in the one above any more.
  void Begin(size_t bx);
  // The prediction for `at` (a place of plane 0's values) in 1 / kOne, not limited.
  int32_t Predict(const int32_t* at, size_t bx) const noexcept;
  // Takes in the complete block whose first row begins at `at`; `columns` of it are within the tile.
  void Learn(const int32_t* at, size_t bx, size_t columns, ptrdiff_t stride);
  // Sums of the block last learned, for training: [n + 1][n + 1].
  void LastSums(int64_t* into) const;

 private:
  struct Distance {
    ptrdiff_t from;
    ptrdiff_t base;
  };

  size_t count_;
  size_t blocks_;
  ptrdiff_t own_;
  ptrdiff_t left_;
  ptrdiff_t error_[4];
  std::vector<Distance> distances_;
  std::vector<double> prior_;
  // Of each column of blocks, the products' sums of what was learned, old ones fading.
  std::vector<double> sums_;
  // [column][n], in 2^-16.
  std::vector<int32_t> coefficients_;
  std::vector<int16_t> rows_;
  std::vector<int16_t> packed_;
  std::vector<int32_t> products_;
  MatrixKernel kernel_;
};

}  // namespace node_vae::coder
