#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "coder/matrix_kernel.h"

// Fully connected layers of 16-bit integers from rows to rows. Sums are exact, so that their order, and which products
// with zeros are left out, changes nothing.
namespace node_vae::coder {

// How weights lie. Sums of 32 bits are of pairs of products, of two inputs at a time.
enum class DenseOrder {
  // [group of kGroupTiles tiles][pair of inputs][tile][output in tile][input of the pair]; the last group may be smaller.
  // Pairs of which both are 0 are left out.
  kPairs,
  // [group of kGroupBlocks blocks][input][block][output in block]. Any two inputs that are not 0 make a pair when they
  // are met: fewer products, and instructions that bring weights together.
  kInputs,
};

inline constexpr size_t kGroupTiles = 6;
inline constexpr size_t kBlock = 2 * kTile;
inline constexpr size_t kGroupBlocks = 3;
// Inputs, or pairs of them, for which a word says whether they are zeros.
inline constexpr size_t kMaskWidth = 64;

// output[o] = clamp((start[o] + sum over i of weight(o, i) * input[i]) >> shift[o], low, high).
struct DenseLayout {
  DenseOrder order;
  // From a cache line's boundary on; likewise start and shift, for whole tiles or blocks, the latter in the order of
  // BlockLane().
  const int16_t* weights;
  const int32_t* start;
  const int32_t* shift;
  size_t inputs;
  size_t outputs;
  int16_t low;
  int16_t high;

  size_t pairs() const noexcept { return (inputs + 1) / 2; }
  size_t words() const noexcept { return (pairs() + kMaskWidth - 1) / kMaskWidth; }
  size_t tiles() const noexcept { return (outputs + kTile - 1) / kTile; }
  size_t blocks() const noexcept { return (outputs + kBlock - 1) / kBlock; }
  // Words of scratch that a kernel needs for so many rows.
  size_t scratch(size_t rows) const noexcept {
    // In order of inputs: of every two rows, the inputs that are not 0 and their values, with room for whole vectors.
    return order == DenseOrder::kPairs ? rows * words() : (rows + 1) / 2 * 3 * ListWords();
  }
  size_t ListWords() const noexcept { return (inputs + 2 * 32) / 32 * 8; }
};

// Where an output stands among the sums of its block: halves of every eight lie apart, as they are computed.
constexpr size_t BlockLane(size_t output) noexcept {
  return output % 8 / 4 * kTile + output / 8 * 4 + output % 4;
}

struct DenseRows {
  const int16_t* inputs;
  size_t input_stride;
  size_t count;
  int16_t* outputs;
  size_t output_stride;
  // Elements of a row of outputs that may be written: at least those of the layer. Whole tiles are, where there is room.
  size_t output_room;
};

using DenseKernel = void (*)(const DenseLayout& layout, const DenseRows& rows, uint64_t* scratch);

// What products of rows and weights come as a multiple of.
inline constexpr size_t kDotWidth = 32;

// sums[r] = sum over i < width of inputs[r * stride + i] * weights[i].
using DotKernel = void (*)(const int16_t* inputs, size_t stride, size_t rows, const int16_t* weights, size_t width,
                           int32_t* sums);

struct DenseKernels {
  DenseKernel by_pairs;
  DotKernel dot;
  // Null where pairs are always faster.
  DenseKernel by_inputs = nullptr;
  // Layers of more outputs than this are computed by inputs.
  size_t most_by_pairs = kTile;

  // Inputs are listed as 16 bits.
  bool ByInputs(size_t inputs, size_t outputs) const noexcept {
    return by_inputs != nullptr && inputs <= 65536 && outputs > most_by_pairs;
  }
};

// The fastest that this processor runs; as ChooseMatrixKernel().
DenseKernels ChooseDenseKernels();

extern const DenseKernels kGenericDenseKernels;
#if defined(NODE_VAE_CODER_X86)
extern const DenseKernels kSse2DenseKernels;
extern const DenseKernels kAvx2DenseKernels;
extern const DenseKernels kAvx512DenseKernels;
// With VNNI and VBMI2.
void DenseByInputsAvx512(const DenseLayout& layout, const DenseRows& rows, uint64_t* scratch);
#endif
#if defined(__aarch64__) && !defined(_MSC_VER)
#define NODE_VAE_CODER_NEON 1
void DenseByInputsNeon(const DenseLayout& layout, const DenseRows& rows, uint64_t* scratch);
#endif

}  // namespace node_vae::coder
