#include "coder/dense_kernel.h"

#if defined(NODE_VAE_CODER_NEON)
#include <arm_neon.h>

// Layers in the order of inputs, one input at a time: NEON adds products of 16 bits to sums of 32 by themselves.
namespace node_vae::coder {

namespace {

constexpr size_t kEights = kBlock / 8;

// kBlocks blocks of outputs from `output` on, of one row.
template <size_t kBlocks>
void Blocks(const DenseLayout& layout, const DenseRows& rows, size_t row, const uint16_t* which, size_t count,
            size_t output, const int16_t* weights) {
  int32x4_t low[kBlocks][kEights];
  int32x4_t high[kBlocks][kEights];
#pragma GCC unroll 4
  for (size_t b = 0; b < kBlocks; ++b) {
    const int32_t* start = layout.start + output + b * kBlock;
#pragma GCC unroll 4
    for (size_t e = 0; e < kEights; ++e) {
      low[b][e] = vld1q_s32(start + e * 4);
      high[b][e] = vld1q_s32(start + kTile + e * 4);
    }
  }
  const int16_t* inputs = rows.inputs + row * rows.input_stride;
  for (size_t at = 0; at < count; ++at) {
    const int16_t* w = weights + which[at] * (kBlocks * kBlock);
    const int16x8_t x = vdupq_n_s16(inputs[which[at]]);
#pragma GCC unroll 4
    for (size_t b = 0; b < kBlocks; ++b) {
#pragma GCC unroll 4
      for (size_t e = 0; e < kEights; ++e) {
        const int16x8_t eight = vld1q_s16(w + b * kBlock + e * 8);
        low[b][e] = vmlal_s16(low[b][e], vget_low_s16(eight), vget_low_s16(x));
        high[b][e] = vmlal_high_s16(high[b][e], eight, x);
      }
      // GCC would load the weights of all blocks first, and have no registers left for the sums.
      __asm__ volatile("" ::: "memory");
    }
  }
  const int16x8_t least = vdupq_n_s16(layout.low);
  const int16x8_t most = vdupq_n_s16(layout.high);
  int16_t* out = rows.outputs + row * rows.output_stride;
#pragma GCC unroll 4
  for (size_t b = 0; b < kBlocks; ++b) {
    const size_t at = output + b * kBlock;
    const int32_t* shift = layout.shift + at;
    int16_t whole[kBlock];
    const bool room = at + kBlock <= rows.output_room;
    int16_t* to = room ? out + at : whole;
#pragma GCC unroll 4
    for (size_t e = 0; e < kEights; ++e) {
      // A shift to the left by less than nothing is one to the right.
      const int32x4_t first = vshlq_s32(low[b][e], vnegq_s32(vld1q_s32(shift + e * 4)));
      const int32x4_t second = vshlq_s32(high[b][e], vnegq_s32(vld1q_s32(shift + kTile + e * 4)));
      const int16x8_t narrow = vcombine_s16(vqmovn_s32(first), vqmovn_s32(second));
      vst1q_s16(to + e * 8, vminq_s16(vmaxq_s16(narrow, least), most));
    }
    if (!room) __builtin_memcpy(out + at, whole, (rows.output_room - at) * sizeof(int16_t));
  }
}

}  // namespace

void DenseByInputsNeon(const DenseLayout& layout, const DenseRows& rows, uint64_t* scratch) {
  auto* which = reinterpret_cast<uint16_t*>(scratch);
  const size_t blocks = layout.blocks();
  for (size_t row = 0; row < rows.count; ++row) {
    const int16_t* inputs = rows.inputs + row * rows.input_stride;
    size_t count = 0;
    for (size_t i = 0; i < layout.inputs; ++i) {
      which[count] = static_cast<uint16_t>(i);
      count += inputs[i] != 0;
    }
    const int16_t* weights = layout.weights;
    for (size_t block = 0; block < blocks; block += kGroupBlocks) {
      const size_t together = blocks - block < kGroupBlocks ? blocks - block : kGroupBlocks;
      const size_t output = block * kBlock;
      static_assert(kGroupBlocks == 3);
      if (together == 3) {
        Blocks<3>(layout, rows, row, which, count, output, weights);
      } else if (together == 2) {
        Blocks<2>(layout, rows, row, which, count, output, weights);
      } else {
        Blocks<1>(layout, rows, row, which, count, output, weights);
      }
      weights += together * kBlock * layout.inputs;
    }
  }
}

}  // namespace node_vae::coder
#endif
