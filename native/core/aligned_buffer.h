#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace node_vae {

// Bytes held by all live AlignedBuffers of the process.
int64_t AllocatedBytes() noexcept;

// A block of zeroed memory aligned to a cache line, counted in AllocatedBytes().
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(size_t size);
  AlignedBytes(AlignedBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBytes& operator=(AlignedBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  ~AlignedBytes();

  void* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// The same, seen as an array of T.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t count) : bytes_(count * sizeof(T)), count_(count) {}
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : bytes_(std::move(other.bytes_)), count_(std::exchange(other.count_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    std::swap(count_, other.count_);
    return *this;
  }

  T* data() const noexcept { return static_cast<T*>(bytes_.data()); }
  size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  T& operator[](size_t i) const noexcept { return data()[i]; }

 private:
  AlignedBytes bytes_;
  size_t count_ = 0;
};

}  // namespace node_vae
