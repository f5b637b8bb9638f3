#include "ort/abort.h"

#include <algorithm>

namespace node_vae {

void AbortState::Abort() noexcept {
  aborted_.store(true, std::memory_order_release);
  std::lock_guard lock(mutex_);
  for (Ort::RunOptions* options : running_) {
    // Cannot fail: it sets a flag.
    Ort::Status(Ort::GetApi().RunOptionsSetTerminate(*options));
  }
}

AbortState::Running::Running(AbortState* state, Ort::RunOptions& options) : state_(state), options_(options) {
  if (state_ == nullptr) return;
  std::lock_guard lock(state_->mutex_);
  state_->running_.push_back(&options_);
  if (state_->aborted()) options_.SetTerminate();
}

AbortState::Running::~Running() {
  if (state_ == nullptr) return;
  std::lock_guard lock(state_->mutex_);
  std::erase(state_->running_, &options_);
  if (state_->aborted()) Ort::Status(Ort::GetApi().RunOptionsUnsetTerminate(options_));
}

}  // namespace node_vae
