#include "training/layout.h"

#include <algorithm>

#include "ort/types.h"

namespace node_vae {
namespace {

constexpr size_t kAlign = 16;          // floats in a cache line
constexpr size_t kChunkCount = 8192;   // 32 KiB per array: a chunk's arrays stay in the second-level cache

size_t RoundUp(size_t count) { return (count + kAlign - 1) / kAlign * kAlign; }

}  // namespace

ParameterLayout::ParameterLayout(const std::vector<ParameterSpec>& parameters) : entries_(parameters.size()) {
  std::vector<Chunk> stretches;
  size_t offset = 0;
  for (const bool trainable : {true, false}) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      const ParameterSpec& spec = parameters[i];
      if (spec.trainable != trainable) continue;
      const auto count = CountElements(spec.dims);
      entries_[i] = {offset, count, trainable};
      const size_t room = RoundUp(count);
      if (trainable) {
        const bool joins = !stretches.empty() && stretches.back().weight_decay_scale == spec.weight_decay_scale &&
                           stretches.back().learning_rate_scale == spec.learning_rate_scale;
        // The gaps hold zeros, which every optimizer leaves zero.
        if (joins) {
          stretches.back().count += room;
        } else {
          stretches.push_back({offset, room, spec.weight_decay_scale, spec.learning_rate_scale});
        }
      }
      offset += room;
      flat_count_ += count;
    }
    if (trainable) trainable_native_count_ = offset;
  }
  native_count_ = offset;
  for (const Chunk& stretch : stretches) {
    for (size_t done = 0; done < stretch.count; done += kChunkCount) {
      Chunk chunk = stretch;
      chunk.offset += done;
      chunk.count = std::min(kChunkCount, stretch.count - done);
      chunks_.push_back(chunk);
    }
  }
}

void ParameterLayout::ToNative(const float* flat, float* native, bool trainable_only) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.trainable || !trainable_only) std::copy_n(flat, entry.count, native + entry.offset);
    flat += entry.count;
  }
}

void ParameterLayout::ToFlat(const float* native, float* flat, bool trainable_only, float scale) const noexcept {
  for (const Entry& entry : entries_) {
    if (!entry.trainable && trainable_only) {
      std::fill_n(flat, entry.count, 0.0f);
    } else if (scale == 1) {
      std::copy_n(native + entry.offset, entry.count, flat);
    } else {
      std::transform(native + entry.offset, native + entry.offset + entry.count, flat,
                     [scale](float value) { return value * scale; });
    }
    flat += entry.count;
  }
}

}  // namespace node_vae
