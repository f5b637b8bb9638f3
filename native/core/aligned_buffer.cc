#include "core/aligned_buffer.h"

#include <atomic>
#include <cstring>
#include <new>

namespace node_vae {
namespace {

constexpr std::align_val_t kAlignment{64};
std::atomic<int64_t> allocated_bytes{0};

}  // namespace

int64_t AllocatedBytes() noexcept { return allocated_bytes.load(std::memory_order_relaxed); }

AlignedBytes::AlignedBytes(size_t size) : size_(size) {
  if (size == 0) return;
  data_ = ::operator new(size, kAlignment);
  std::memset(data_, 0, size);
  allocated_bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
}

AlignedBytes::~AlignedBytes() {
  if (data_ == nullptr) return;
  ::operator delete(data_, kAlignment);
  allocated_bytes.fetch_sub(static_cast<int64_t>(size_), std::memory_order_relaxed);
}

}  // namespace node_vae
