#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "training/config.h"

namespace node_vae {

// Where each parameter lies in the native buffers. Trainable parameters come first, so that
// gradients and moments need no room for frozen ones; each begins on a cache line. JavaScript sees
// another order: that of the description, without gaps.
class ParameterLayout {
 public:
  struct Entry {
    size_t offset = 0;  // in the native buffers
    size_t count = 0;
    bool trainable = true;
  };

  // A stretch of trainable parameters with the same scales; the unit of work of the optimizer.
  struct Chunk {
    size_t offset = 0;
    size_t count = 0;
    float weight_decay_scale = 1;
    float learning_rate_scale = 1;
  };

  explicit ParameterLayout(const std::vector<ParameterSpec>& parameters);

  const std::vector<Entry>& entries() const noexcept { return entries_; }
  const std::vector<Chunk>& chunks() const noexcept { return chunks_; }
  size_t flat_count() const noexcept { return flat_count_; }
  // Elements of a native buffer that holds all, or only the trainable, parameters.
  size_t native_count() const noexcept { return native_count_; }
  size_t trainable_native_count() const noexcept { return trainable_native_count_; }

  // Between JavaScript's order and the native one; frozen parameters are left out of the native
  // side, and are zero on the other, when `trainable_only`.
  void ToNative(const float* flat, float* native, bool trainable_only) const noexcept;
  void ToFlat(const float* native, float* flat, bool trainable_only, float scale = 1) const noexcept;

 private:
  std::vector<Entry> entries_;
  std::vector<Chunk> chunks_;
  size_t flat_count_ = 0;
  size_t native_count_ = 0;
  size_t trainable_native_count_ = 0;
};

}  // namespace node_vae
