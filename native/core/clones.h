#pragma once

// NODE_VAE_CLONES before a function compiles it several times, for newer and older processors, and
// picks one when the addon is loaded. All clones give the same bits: the loops marked with it are
// element-wise, or add up in a fixed order, and contraction is off (see CMakeLists.txt).
//
// GCC on x86-64 with glibc only: elsewhere the baseline (NEON on arm64) is already wide enough,
// or the loader cannot resolve clones.
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && \
    !defined(__clang__) && !defined(NODE_VAE_NO_CLONES)
#define NODE_VAE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NODE_VAE_CLONES
#endif

// Before a function that such a function calls: it is compiled into each clone.
#if defined(_MSC_VER)
#define NODE_VAE_INLINE __forceinline
#else
#define NODE_VAE_INLINE inline __attribute__((always_inline))
#endif

#if defined(_MSC_VER)
#define NODE_VAE_RESTRICT __restrict
#else
#define NODE_VAE_RESTRICT __restrict__
#endif
