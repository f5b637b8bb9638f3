#include "coder/matrix_kernel.h"

#include <cstring>

#include "coder/isa.h"

namespace node_vae::coder {

void MatrixKernelGeneric(const int16_t* inputs, size_t stride, size_t rows, const int16_t* packed, size_t pairs,
                         size_t tiles, int32_t* sums) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t tile = 0; tile < tiles; ++tile) {
      int32_t sum[kTile] = {};
      const int16_t* weights = packed + tile * pairs * 2 * kTile;
      for (size_t pair = 0; pair < pairs; ++pair) {
        const int32_t first = inputs[r * stride + pair * 2];
        const int32_t second = inputs[r * stride + pair * 2 + 1];
        for (size_t o = 0; o < kTile; ++o) {
          sum[o] += first * weights[(pair * kTile + o) * 2] + second * weights[(pair * kTile + o) * 2 + 1];
        }
      }
      std::memcpy(sums + (r * tiles + tile) * kTile, sum, sizeof sum);
    }
  }
}

MatrixKernel ChooseMatrixKernel() {
#if defined(NODE_VAE_CODER_X86)
  switch (ChooseIsa()) {
    case Isa::kAvx512:
      return MatrixKernelAvx512;
    case Isa::kAvx2:
      return MatrixKernelAvx2;
    case Isa::kSse2:
      return MatrixKernelSse2;
    default:
      break;
  }
#endif
  return MatrixKernelGeneric;
}

}  // namespace node_vae::coder
