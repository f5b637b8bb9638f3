#include "kernels/parallel.h"

#include <algorithm>

namespace node_vae {

float* FloatsPool::Take() {
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) return nullptr;
  try {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Floats>(parallel_, count_));
      free_.reserve(all_.size());
      std::fill_n(all_.back()->data(), count_, 0.0f);
      return all_.back()->data();
    }
  } catch (...) {
    failure_ = std::current_exception();
    return nullptr;
  }
  float* buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void FloatsPool::For(size_t tasks, const std::function<void(size_t, float*)>& body) {
  parallel_.For(tasks, [&](size_t i) {
    float* buffer = Take();
    if (buffer == nullptr) return;
    body(i, buffer);
    const std::lock_guard lock(mutex_);
    free_.push_back(buffer);  // has room: see Take()
  });
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

}  // namespace node_vae
