#include "coder/matrix_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <immintrin.h>

#define KERNEL_NAME MatrixKernelAvx512
#define KERNEL_ROWS 8
#define VECTOR __m512i
#define VECTORS 1
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define BROADCAST(i) _mm512_set1_epi32(i)
#define ZERO() _mm512_setzero_si512()
// VNNI's form of multiply and add: it wraps like the pair of instructions, it never saturates.
#define MULTIPLY_ADD(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#include "coder/matrix_kernel.inc"
#endif
