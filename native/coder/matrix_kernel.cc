#include "coder/matrix_kernel.h"

#include <cstdlib>
#include <cstring>

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
  const char* limit = std::getenv("NODE_VAE_CODER_ISA");
  const auto allowed = [limit](const char* wanted) {
    // In rising order: a limit allows itself and whatever stands before it.
    constexpr const char* kOrder[] = {"generic", "sse2", "avx2", "avx512"};
    if (limit == nullptr) return true;
    for (const char* isa : kOrder) {
      if (std::strcmp(isa, wanted) == 0) return true;
      if (std::strcmp(isa, limit) == 0) return false;
    }
    return true;
  };
  __builtin_cpu_init();
  if (allowed("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni")) {
    return MatrixKernelAvx512;
  }
  if (allowed("avx2") && __builtin_cpu_supports("avx2")) return MatrixKernelAvx2;
  if (allowed("sse2")) return MatrixKernelSse2;
#endif
  return MatrixKernelGeneric;
}

}  // namespace node_vae::coder
