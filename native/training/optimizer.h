#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/thread_team.h"
#include "training/config.h"
#include "training/layout.h"

namespace node_vae {

// The optimizer's moments, the moving average of the parameters, and the pass over all parameters
// that applies a gradient.
class Optimizer {
 public:
  // Without buffers where `on_device`: then it counts steps and says their numbers, and graphs take them.
  Optimizer(const ParameterLayout& layout, ThreadTeam& team, const TrainingConfig& config, bool on_device);

  // What the next step's graph takes for gradients * scale: see `hyper` in src/artifacts/device-step.ts.
  std::vector<float> Numbers(double learning_rate, double scale) const;

  // A change of type empties the moments and restarts `step`.
  void SetSpec(const OptimizerSpec& spec);

  // The norm of gradients * scale; not finite exactly when some value is not.
  double GradientNorm(const float* gradients, double scale) const;
  // Clips and applies gradients * scale, whose norm is `norm`. Returns the update's norm when
  // `measure`, else 0.
  double Apply(float* parameters, const float* gradients, double scale, double norm, double learning_rate, bool measure);

  int64_t step() const noexcept { return step_; }
  void set_step(int64_t step) noexcept { step_ = step; }

  // nullptr where the optimizer has no such buffer.
  float* moment1() const noexcept { return moment1_.data(); }
  float* moment2() const noexcept { return moment2_.data(); }
  float* ema() const noexcept { return ema_.data(); }
  size_t float_count() const noexcept { return moment1_.size() + moment2_.size() + ema_.size(); }

 private:
  void Allocate();
  // 1 - beta^t for the next step, 1 without correction.
  double Correction(double beta) const;

  const ParameterLayout& layout_;
  ThreadTeam& team_;
  OptimizerSpec spec_;
  std::optional<double> clip_norm_;
  std::optional<double> ema_decay_;
  const bool on_device_;
  int64_t step_ = 0;
  AlignedBuffer<float> moment1_;
  AlignedBuffer<float> moment2_;
  AlignedBuffer<float> ema_;
  mutable std::vector<double> partial_;  // one sum per chunk, added up in order
};

}  // namespace node_vae
