#include "coder/matrix_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <emmintrin.h>

#define KERNEL_NAME MatrixKernelSse2
#define KERNEL_ROWS 2
#define VECTOR __m128i
#define VECTORS 4
#define LOAD(p) _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))
#define STORE(p, v) _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v)
#define BROADCAST(i) _mm_set1_epi32(i)
#define ZERO() _mm_setzero_si128()
#define MULTIPLY_ADD(sum, a, b) _mm_add_epi32(sum, _mm_madd_epi16(a, b))
#include "coder/matrix_kernel.inc"
#endif
