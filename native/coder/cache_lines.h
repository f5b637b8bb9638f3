#pragma once

#include <cstddef>
#include <vector>

namespace node_vae::coder {

// Numbers from the boundary of a cache line on, zero at first: vectors of them do not lie across two.
template <typename T>
class CacheLines {
 public:
  CacheLines() = default;
  explicit CacheLines(size_t count) : lines_((count + kCount - 1) / kCount), count_(count) {}

  T* data() noexcept { return lines_.empty() ? nullptr : lines_.front().values; }
  const T* data() const noexcept { return lines_.empty() ? nullptr : lines_.front().values; }
  size_t size() const noexcept { return count_; }
  T& operator[](size_t i) noexcept { return lines_[i / kCount].values[i % kCount]; }
  const T& operator[](size_t i) const noexcept { return lines_[i / kCount].values[i % kCount]; }

 private:
  static constexpr size_t kCount = 64 / sizeof(T);
  struct alignas(64) Line {
    T values[kCount] = {};
  };
  std::vector<Line> lines_;
  size_t count_ = 0;
};

}  // namespace node_vae::coder
