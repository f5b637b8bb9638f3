#pragma once

#include <cstddef>
#include <cstdint>

#include "core/thread_team.h"
#include "random/distributions.h"

namespace node_vae {

enum class RowSource { kUint8, kFloat32, kInt64 };
enum class Binarise { kNone, kThreshold, kSample };

// An array of rows lent by the caller, and how its values become the graph's input:
// out = in * scale + offset, then binarised where asked.
struct RowData {
  RowSource source = RowSource::kFloat32;
  const void* data = nullptr;
  size_t row_count = 0;
  size_t row_size = 0;  // elements
  float scale = 1;
  float offset = 0;
  Binarise binarise = Binarise::kNone;
};

// Gathers rows `indices[0 .. count)` into `out` as float32. `draw` names the random numbers of
// Binarise::kSample, one per element of the batch.
void GatherFloat(ThreadTeam& team, const RowData& rows, const uint32_t* indices, size_t count, const Draw& draw,
                 float* out);

// The same as int64, without transform, from kInt64 or kUint8.
void GatherInt64(ThreadTeam& team, const RowData& rows, const uint32_t* indices, size_t count, int64_t* out);

// Fills `count` elements with random numbers, shared among the team.
void FillInParallel(ThreadTeam& team, bool normal, const Draw& draw, size_t count, float* out);

}  // namespace node_vae
