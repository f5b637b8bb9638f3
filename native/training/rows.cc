#include "training/rows.h"

#include <algorithm>
#include <cstring>

#include "training/kernels.h"

namespace node_vae {
namespace {

// Pieces this large are worth another thread's attention.
constexpr size_t kPiece = 16384;

// Splits `count` rows so that a piece has about kPiece elements, and calls body(first, last).
template <typename Body>
void ForPieces(ThreadTeam& team, size_t count, size_t row_size, const Body& body) {
  const size_t rows = std::max<size_t>(1, kPiece / std::max<size_t>(1, row_size));
  team.For((count + rows - 1) / rows, [&](size_t piece) {
    body(piece * rows, std::min(count, (piece + 1) * rows));
  });
}

// Draws a Bernoulli of each value. A value in [0, 1] exceeds a uniform number with that probability.
void Sample(float* values, size_t count, const Draw& draw, size_t first) {
  constexpr size_t kBlock = 1024;
  float uniform[kBlock];
  for (size_t done = 0; done < count; done += kBlock) {
    const size_t take = std::min(kBlock, count - done);
    FillUniform(uniform, take, draw, first + done);
    kernels::Binarise(values + done, uniform, take);
  }
}

}  // namespace

void GatherFloat(ThreadTeam& team, const RowData& rows, const uint32_t* indices, size_t count, const Draw& draw,
                 float* out) {
  const size_t size = rows.row_size;
  const bool plain = rows.scale == 1 && rows.offset == 0;
  ForPieces(team, count, size, [&](size_t from, size_t to) {
    for (size_t row = from; row < to; ++row) {
      float* target = out + row * size;
      const size_t at = size * indices[row];
      if (rows.source == RowSource::kUint8) {
        kernels::Affine(target, static_cast<const uint8_t*>(rows.data) + at, rows.scale, rows.offset, size);
      } else if (plain) {
        std::memcpy(target, static_cast<const float*>(rows.data) + at, size * sizeof(float));
      } else {
        kernels::Affine(target, static_cast<const float*>(rows.data) + at, rows.scale, rows.offset, size);
      }
    }
    float* piece = out + from * size;
    if (rows.binarise == Binarise::kThreshold) kernels::Binarise(piece, 0.5f, (to - from) * size);
    if (rows.binarise == Binarise::kSample) Sample(piece, (to - from) * size, draw, from * size);
  });
}

void GatherInt64(ThreadTeam& team, const RowData& rows, const uint32_t* indices, size_t count, int64_t* out) {
  const size_t size = rows.row_size;
  ForPieces(team, count, size, [&](size_t from, size_t to) {
    for (size_t row = from; row < to; ++row) {
      const size_t at = size * indices[row];
      if (rows.source == RowSource::kInt64) {
        std::memcpy(out + row * size, static_cast<const int64_t*>(rows.data) + at, size * sizeof(int64_t));
      } else {
        kernels::Widen(out + row * size, static_cast<const uint8_t*>(rows.data) + at, size);
      }
    }
  });
}

void FillInParallel(ThreadTeam& team, bool normal, const Draw& draw, size_t count, float* out) {
  ForPieces(team, count, 1, [&](size_t from, size_t to) {
    if (normal) {
      FillNormal(out + from, to - from, draw, from);
    } else {
      FillUniform(out + from, to - from, draw, from);
    }
  });
}

}  // namespace node_vae
