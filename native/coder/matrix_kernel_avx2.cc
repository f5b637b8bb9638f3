#include "coder/matrix_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <immintrin.h>

#define KERNEL_NAME MatrixKernelAvx2
#define KERNEL_ROWS 4
#define VECTOR __m256i
#define VECTORS 2
#define LOAD(p) _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))
#define STORE(p, v) _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v)
#define BROADCAST(i) _mm256_set1_epi32(i)
#define ZERO() _mm256_setzero_si256()
#define MULTIPLY_ADD(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#include "coder/matrix_kernel.inc"
#endif
