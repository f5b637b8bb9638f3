#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// The samples of a tile as far as they are known, with what surrounds it made up, and how far predictions of them were off.
namespace node_vae::coder {

// Fraction bits of samples, predictions and errors within the codec of photographs.
inline constexpr int kFractionBits = 5;
inline constexpr int32_t kOne = 1 << kFractionBits;

// Where a neighbour stands: rows above, columns to the right.
struct Place {
  int above;
  int right;
};

// Planes of values and of errors in one block of memory, so that one pointer and a list of distances reach them all.
// All numbers are in 1 / kOne.
class TilePlanes {
 public:
  // How far neighbours may lie: up, and to either side.
  static constexpr size_t kAbove = 3;
  static constexpr size_t kBeside = 4;

  TilePlanes(size_t width, size_t height, size_t planes, int bits);

  // The value at a place; those of other planes and errors lie at fixed distances from it.
  int32_t* At(size_t x, size_t y) noexcept {
    return numbers_.data() + (y + kAbove) * static_cast<size_t>(stride_) + kBeside + x;
  }
  ptrdiff_t Distance(size_t plane, bool error, Place place) const noexcept {
    return static_cast<ptrdiff_t>(plane * 2 + (error ? 1 : 0)) * plane_ - place.above * stride_ + place.right;
  }

  // Notes a value (in 1 / kOne) and its error, and what they make up of the surroundings. Rows are told from left to
  // right; a row is at least kBeside places behind the one above it, or that one is complete.
  void Set(size_t plane, size_t x, size_t y, int32_t value, int32_t error) noexcept;

 private:
  size_t width_;
  size_t height_;
  ptrdiff_t stride_;
  ptrdiff_t plane_;
  std::vector<int32_t> numbers_;
};

}  // namespace node_vae::coder
