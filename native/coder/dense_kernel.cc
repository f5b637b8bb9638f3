#include "coder/dense_kernel.h"

#include <algorithm>

#include "coder/isa.h"

namespace node_vae::coder {

namespace {

void Layer(const DenseLayout& layout, const DenseRows& rows, uint64_t*) {
  constexpr size_t kPairWeights = 2 * kTile;
  for (size_t row = 0; row < rows.count; ++row) {
    const int16_t* inputs = rows.inputs + row * rows.input_stride;
    int16_t* out = rows.outputs + row * rows.output_stride;
    for (size_t tile = 0; tile < layout.tiles(); ++tile) {
      const size_t group = tile / kGroupTiles * kGroupTiles;
      const size_t tiles = std::min(kGroupTiles, layout.tiles() - group);
      const int16_t* weights = layout.weights + (group * layout.pairs() + (tile - group)) * kPairWeights;
      int32_t sum[kTile];
      std::copy_n(layout.start + tile * kTile, kTile, sum);
      for (size_t pair = 0; pair < layout.pairs(); ++pair, weights += tiles * kPairWeights) {
        const int32_t first = inputs[pair * 2];
        const int32_t second = inputs[pair * 2 + 1];
        if ((first | second) == 0) continue;
        for (size_t o = 0; o < kTile; ++o) sum[o] += first * weights[o * 2] + second * weights[o * 2 + 1];
      }
      const size_t count = std::min(kTile, std::max(layout.outputs, rows.output_room) - tile * kTile);
      for (size_t o = 0; o < count; ++o) {
        const int32_t value = sum[o] >> layout.shift[tile * kTile + o];
        out[tile * kTile + o] = static_cast<int16_t>(std::clamp<int32_t>(value, layout.low, layout.high));
      }
    }
  }
}

void Dot(const int16_t* inputs, size_t stride, size_t rows, const int16_t* weights, size_t width, int32_t* sums) {
  for (size_t r = 0; r < rows; ++r, inputs += stride) {
    int32_t sum = 0;
    for (size_t i = 0; i < width; ++i) sum += int32_t{inputs[i]} * weights[i];
    sums[r] = sum;
  }
}

}  // namespace

const DenseKernels kGenericDenseKernels = {Layer, Dot};

DenseKernels ChooseDenseKernels() {
#if defined(NODE_VAE_CODER_X86)
  switch (ChooseIsa()) {
    case Isa::kAvx512: {
      DenseKernels kernels = kAvx512DenseKernels;
      if (__builtin_cpu_supports("avx512vbmi2")) kernels.by_inputs = DenseByInputsAvx512;
      return kernels;
    }
    case Isa::kAvx2:
      return kAvx2DenseKernels;
    case Isa::kSse2:
      return kSse2DenseKernels;
    default:
      break;
  }
#elif defined(NODE_VAE_CODER_NEON)
  // Every processor of the kind has NEON.
  if (ChooseIsa() == Isa::kNeon) return {kGenericDenseKernels.by_pairs, kGenericDenseKernels.dot, DenseByInputsNeon, 0};
#endif
  return kGenericDenseKernels;
}

}  // namespace node_vae::coder
