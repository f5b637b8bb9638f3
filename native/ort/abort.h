#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "ort/api.h"

namespace node_vae {

// A wish to stop, shared by who asks and who runs. Also ends an ONNX Runtime call in progress.
class AbortState {
 public:
  void Abort() noexcept;
  const std::atomic<bool>& flag() const noexcept { return aborted_; }
  bool aborted() const noexcept { return aborted_.load(std::memory_order_acquire); }

  // Registers a call in progress for as long as it lives. A fresh RunOptions per call would cost
  // more than the check: a slot's options are reused, and cleared again if they were hit.
  class Running {
   public:
    Running(AbortState* state, Ort::RunOptions& options);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    AbortState* state_;
    Ort::RunOptions& options_;
  };

 private:
  std::atomic<bool> aborted_{false};
  std::mutex mutex_;
  std::vector<Ort::RunOptions*> running_;
};

}  // namespace node_vae
