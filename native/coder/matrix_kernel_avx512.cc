#include "coder/matrix_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <immintrin.h>

namespace node_vae::coder {
namespace {

// VNNI's form of multiply and add: it wraps like the pair of instructions, it never saturates. Not
// _mm512_dpwssd_epi32: GCC 12 then copies every sum in every turn of the loop.
inline __m512i MultiplyAdd(__m512i sum, __m512i a, __m512i b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

}  // namespace
}  // namespace node_vae::coder

#define KERNEL_NAME MatrixKernelAvx512
#define KERNEL_ROWS 8
#define VECTOR __m512i
#define VECTORS 1
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define BROADCAST(i) _mm512_set1_epi32(i)
#define ZERO() _mm512_setzero_si512()
#define MULTIPLY_ADD(sum, a, b) MultiplyAdd(sum, a, b)
#include "coder/matrix_kernel.inc"
#endif
