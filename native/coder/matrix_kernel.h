#pragma once

#include <cstddef>
#include <cstdint>

// Products of 16-bit integer matrices, exact in 32-bit sums and so the same on every processor.
namespace node_vae::coder {

inline constexpr size_t kTile = 16;  // outputs computed together

// sums[r * tiles * kTile + o] = sum over i of inputs[r * stride + i] * weight(o, i), where
// `packed` holds the weights as [tile][pair of inputs][output in tile][input of the pair]. The
// caller guarantees that no partial sum leaves 32 bits.
using MatrixKernel = void (*)(const int16_t* inputs, size_t stride, size_t rows, const int16_t* packed, size_t pairs,
                              size_t tiles, int32_t* sums);

// The fastest one that this processor runs.
MatrixKernel ChooseMatrixKernel();

void MatrixKernelGeneric(const int16_t* inputs, size_t stride, size_t rows, const int16_t* packed, size_t pairs,
                         size_t tiles, int32_t* sums);
#if defined(NODE_VAE_CODER_X86)
void MatrixKernelSse2(const int16_t* inputs, size_t stride, size_t rows, const int16_t* packed, size_t pairs,
                      size_t tiles, int32_t* sums);
void MatrixKernelAvx2(const int16_t* inputs, size_t stride, size_t rows, const int16_t* packed, size_t pairs,
                      size_t tiles, int32_t* sums);
void MatrixKernelAvx512(const int16_t* inputs, size_t stride, size_t rows, const int16_t* packed, size_t pairs,
                        size_t tiles, int32_t* sums);
#endif

}  // namespace node_vae::coder
