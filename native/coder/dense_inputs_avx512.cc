#include "coder/dense_kernel.h"

#if defined(NODE_VAE_CODER_X86)
#include <immintrin.h>

// Layers in the order of inputs, with AVX-512 VNNI and VBMI2. The rules of dense_kernel.inc hold here.
namespace node_vae::coder {

namespace {

// Of two rows, or of the last one by itself.
struct Lists {
  const uint16_t* which;      // inputs that are not 0 in both
  const int16_t* values[2];   // those inputs
  size_t count;
};

// Inputs of kRows rows that are not 0, and their values. A 0 follows them.
template <size_t kRows>
inline size_t Compact(const int16_t* inputs, size_t stride, size_t count, uint16_t* which, int16_t* first,
                      int16_t* second) {
  __m512i index = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
                                   10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  size_t found = 0;
  for (size_t at = 0; at < count; at += 32) {
    const size_t rest = count - at;
    const auto lanes = static_cast<__mmask32>(rest < 32 ? (1u << rest) - 1 : 0xFFFFFFFFu);
    const __m512i a = _mm512_maskz_loadu_epi16(lanes, inputs + at);
    const __m512i b = kRows == 1 ? a : _mm512_maskz_loadu_epi16(lanes, inputs + stride + at);
    const __m512i any = _mm512_or_si512(a, b);
    const __mmask32 mask = _mm512_test_epi16_mask(any, any);
    _mm512_storeu_si512(which + found, _mm512_maskz_compress_epi16(mask, index));
    _mm512_storeu_si512(first + found, _mm512_maskz_compress_epi16(mask, a));
    if (kRows == 2) _mm512_storeu_si512(second + found, _mm512_maskz_compress_epi16(mask, b));
    found += static_cast<size_t>(__builtin_popcount(mask));
    index = _mm512_add_epi16(index, _mm512_set1_epi16(32));
  }
  // Where the last vector was full nothing follows it yet.
  which[found] = 0;
  first[found] = 0;
  if (kRows == 2) second[found] = 0;
  return found;
}

// GCC 12 copies sums where it is asked for _mm512_dpwssd_epi32.
inline __m512i Add(__m512i sum, __m512i x, __m512i weights) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(weights));
  return sum;
}

inline __m512i Repeat(const int16_t* pair) {
  int32_t both;
  __builtin_memcpy(&both, pair, sizeof both);
  return _mm512_set1_epi32(both);
}

// kBlocks blocks of outputs from `output` on, of kRows rows.
template <size_t kBlocks, size_t kRows>
void Blocks(const DenseLayout& layout, const DenseRows& rows, size_t row, const Lists& lists, size_t output,
            const int16_t* weights) {
  __m512i sum[kRows][kBlocks][2];
#pragma GCC unroll 8
  for (size_t b = 0; b < kBlocks; ++b) {
#pragma GCC unroll 8
    for (size_t half = 0; half < 2; ++half) {
#pragma GCC unroll 8
      for (size_t r = 0; r < kRows; ++r) {
        sum[r][b][half] = _mm512_load_si512(layout.start + output + b * kBlock + half * kTile);
      }
    }
  }
  for (size_t at = 0; at < lists.count; at += 2) {
    const int16_t* first = weights + lists.which[at] * (kBlocks * kBlock);
    const int16_t* second = weights + lists.which[at + 1] * (kBlocks * kBlock);
    __m512i x[kRows];
#pragma GCC unroll 8
    for (size_t r = 0; r < kRows; ++r) x[r] = Repeat(lists.values[r] + at);
#pragma GCC unroll 8
    for (size_t b = 0; b < kBlocks; ++b) {
      const __m512i low = _mm512_load_si512(first + b * kBlock);
      const __m512i high = _mm512_load_si512(second + b * kBlock);
      const __m512i halves[2] = {_mm512_unpacklo_epi16(low, high), _mm512_unpackhi_epi16(low, high)};
#pragma GCC unroll 8
      for (size_t half = 0; half < 2; ++half) {
#pragma GCC unroll 8
        for (size_t r = 0; r < kRows; ++r) sum[r][b][half] = Add(sum[r][b][half], x[r], halves[half]);
      }
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < kRows; ++r) {
    int16_t* out = rows.outputs + (row + r) * rows.output_stride;
#pragma GCC unroll 8
    for (size_t b = 0; b < kBlocks; ++b) {
      const size_t at = output + b * kBlock;
      const __m512i low = _mm512_srav_epi32(sum[r][b][0], _mm512_load_si512(layout.shift + at));
      const __m512i high = _mm512_srav_epi32(sum[r][b][1], _mm512_load_si512(layout.shift + at + kTile));
      // Packing undoes what unpacking did to the order.
      const __m512i limited = _mm512_min_epi16(
          _mm512_max_epi16(_mm512_packs_epi32(low, high), _mm512_set1_epi16(layout.low)), _mm512_set1_epi16(layout.high));
      const size_t room = rows.output_room - at;
      if (room >= kBlock) {
        _mm512_storeu_si512(out + at, limited);
      } else {
        _mm512_mask_storeu_epi16(out + at, (1u << room) - 1, limited);
      }
    }
  }
}

template <size_t kRows>
void Group(size_t blocks, const DenseLayout& layout, const DenseRows& rows, size_t row, const Lists& lists, size_t output,
           const int16_t* weights) {
  static_assert(kGroupBlocks == 3);
  if (blocks == 3) return Blocks<3, kRows>(layout, rows, row, lists, output, weights);
  if (blocks == 2) return Blocks<2, kRows>(layout, rows, row, lists, output, weights);
  return Blocks<1, kRows>(layout, rows, row, lists, output, weights);
}

}  // namespace

void DenseByInputsAvx512(const DenseLayout& layout, const DenseRows& rows, uint64_t* scratch) {
  // Lists of all rows first: what was just stored in parts cannot be loaded at once.
  const size_t words = layout.ListWords();
  const auto which = [&](size_t row) { return reinterpret_cast<uint16_t*>(scratch + row / 2 * 3 * words); };
  const auto values = [&](size_t row, size_t r) {
    return reinterpret_cast<int16_t*>(scratch + (row / 2 * 3 + 1 + r) * words);
  };
  const auto count = [&](size_t row) -> uint64_t& { return scratch[(row / 2 * 3 + 3) * words - 1]; };
  for (size_t row = 0; row < rows.count; row += 2) {
    const int16_t* inputs = rows.inputs + row * rows.input_stride;
    count(row) = row + 1 < rows.count
                     ? Compact<2>(inputs, rows.input_stride, layout.inputs, which(row), values(row, 0), values(row, 1))
                     : Compact<1>(inputs, 0, layout.inputs, which(row), values(row, 0), nullptr);
  }
  const size_t blocks = layout.blocks();
  const int16_t* weights = layout.weights;
  for (size_t block = 0; block < blocks; block += kGroupBlocks) {
    const size_t together = blocks - block < kGroupBlocks ? blocks - block : kGroupBlocks;
    for (size_t row = 0; row < rows.count; row += 2) {
      const Lists lists{which(row), {values(row, 0), values(row, 1)}, static_cast<size_t>(count(row))};
      if (row + 1 < rows.count) {
        Group<2>(together, layout, rows, row, lists, block * kBlock, weights);
      } else {
        Group<1>(together, layout, rows, row, lists, block * kBlock, weights);
      }
    }
    weights += together * kBlock * layout.inputs;
  }
}

}  // namespace node_vae::coder
#endif
