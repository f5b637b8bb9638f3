#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace node_vae {

// Where kernels get threads and memory from; the results do not depend on which thread does what.
class Parallel {
 public:
  virtual ~Parallel() = default;
  // body(i) for every i in [0, count), on several threads. `body` must not throw.
  virtual void For(size_t count, const std::function<void(size_t)>& body) = 0;
  // Uninitialized memory for floats, aligned to 64 bytes, until FreeFloats().
  virtual float* AllocateFloats(size_t count) = 0;
  virtual void FreeFloats(float* memory) noexcept = 0;
};

// Floats that live as long as this.
class Floats {
 public:
  Floats(Parallel& parallel, size_t count) : parallel_(parallel), data_(parallel.AllocateFloats(count)) {}
  ~Floats() { parallel_.FreeFloats(data_); }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  float* data() const noexcept { return data_; }

 private:
  Parallel& parallel_;
  float* data_;
};

// Buffers of one size, made as tasks ask for them. They begin with zeros, and are then as the last task
// left them.
class FloatsPool {
 public:
  FloatsPool(Parallel& parallel, size_t count) : parallel_(parallel), count_(count) {}

  // Runs body(i, buffer) for every i in [0, tasks). Throws what allocating throws.
  void For(size_t tasks, const std::function<void(size_t, float*)>& body);

 private:
  float* Take();

  Parallel& parallel_;
  size_t count_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Floats>> all_;
  std::vector<float*> free_;
  std::exception_ptr failure_;
};

}  // namespace node_vae
