#include "training/optimizer.h"

#include <cmath>
#include <numeric>

#include "core/denormals.h"
#include "training/kernels.h"

namespace node_vae {

Optimizer::Optimizer(const ParameterLayout& layout, ThreadTeam& team, const TrainingConfig& config)
    : layout_(layout),
      team_(team),
      spec_(config.optimizer),
      clip_norm_(config.clip_gradient_norm),
      ema_decay_(config.ema_decay),
      partial_(layout.chunks().size()) {
  Allocate();
  if (ema_decay_) ema_ = AlignedBuffer<float>(layout.trainable_native_count());
}

void Optimizer::Allocate() {
  const size_t count = layout_.trainable_native_count();
  const bool adam = spec_.type != OptimizerType::kSgd;
  const bool first = adam || spec_.momentum != 0;
  if (!first) moment1_ = {};
  if (first && moment1_.empty()) moment1_ = AlignedBuffer<float>(count);
  if (!adam) moment2_ = {};
  if (adam && moment2_.empty()) moment2_ = AlignedBuffer<float>(count);
}

void Optimizer::SetSpec(const OptimizerSpec& spec) {
  if (spec.type != spec_.type) {
    moment1_ = {};
    moment2_ = {};
    step_ = 0;
  }
  spec_ = spec;
  Allocate();
}

double Optimizer::GradientNorm(const float* gradients, double scale) const {
  const auto& chunks = layout_.chunks();
  team_.For(chunks.size(), [&](size_t i) {
    partial_[i] = kernels::SumOfSquares(gradients + chunks[i].offset, chunks[i].count);
  });
  return std::sqrt(std::accumulate(partial_.begin(), partial_.end(), 0.0)) * scale;
}

double Optimizer::Apply(float* parameters, const float* gradients, double scale, double norm, double learning_rate,
                        bool measure) {
  if (clip_norm_) {
    // As PyTorch's clip_grad_norm_.
    const double coefficient = *clip_norm_ / (norm + 1e-6);
    if (coefficient < 1) scale *= coefficient;
  }
  const bool first = step_ == 0;
  ++step_;
  const bool adam = spec_.type != OptimizerType::kSgd;
  const bool corrects = adam && spec_.bias_correction;
  const double correction1 = corrects ? 1 - std::pow(spec_.beta1, static_cast<double>(step_)) : 1;
  const double correction2 = corrects ? 1 - std::pow(spec_.beta2, static_cast<double>(step_)) : 1;
  const auto& chunks = layout_.chunks();
  team_.For(chunks.size(), [&](size_t i) {
    const FlushDenormals flush;
    const ParameterLayout::Chunk& chunk = chunks[i];
    const double rate = learning_rate * chunk.learning_rate_scale;
    const double decay = spec_.weight_decay * chunk.weight_decay_scale;
    float* p = parameters + chunk.offset;
    const float* g = gradients + chunk.offset;
    if (spec_.type == OptimizerType::kAdamW && spec_.form == AdamWForm::kOnnxRuntime) {
      const kernels::AdamWOrtStep step{
          .gradient_scale = static_cast<float>(scale),
          .beta1 = static_cast<float>(spec_.beta1),
          .rate1 = static_cast<float>(1 - spec_.beta1),
          .beta2 = static_cast<float>(spec_.beta2),
          .rate2 = static_cast<float>(1 - spec_.beta2),
          .step_size = static_cast<float>(rate * std::sqrt(correction2) / correction1),
          .epsilon = static_cast<float>(spec_.epsilon),
          .decay = static_cast<float>(rate * decay),
      };
      partial_[i] = kernels::AdamWOrt(p, g, moment1_.data() + chunk.offset, moment2_.data() + chunk.offset, step,
                                      chunk.count, measure);
    } else if (adam) {
      const bool decoupled = spec_.type == OptimizerType::kAdamW;
      const kernels::AdamStep step{
          .gradient_scale = static_cast<float>(scale),
          .l2 = decoupled ? 0.0f : static_cast<float>(decay),
          .shrink = decoupled ? static_cast<float>(1 - rate * decay) : 1.0f,
          .rate1 = static_cast<float>(1 - spec_.beta1),
          .beta2 = static_cast<float>(spec_.beta2),
          .rate2 = static_cast<float>(1 - spec_.beta2),
          .step_size = static_cast<float>(rate / correction1),
          .root_scale = static_cast<float>(1 / std::sqrt(correction2)),
          .epsilon = static_cast<float>(spec_.epsilon),
      };
      partial_[i] = kernels::Adam(p, g, moment1_.data() + chunk.offset, moment2_.data() + chunk.offset, step,
                                  chunk.count, measure);
    } else {
      const kernels::SgdStep step{
          .gradient_scale = static_cast<float>(scale),
          .weight_decay = static_cast<float>(decay),
          .learning_rate = static_cast<float>(rate),
          .momentum = static_cast<float>(spec_.momentum),
          .undampened = static_cast<float>(1 - spec_.dampening),
          .nesterov = spec_.nesterov,
          .first = first,
      };
      float* momentum = moment1_.empty() ? nullptr : moment1_.data() + chunk.offset;
      partial_[i] = kernels::Sgd(p, g, momentum, step, chunk.count, measure);
    }
    if (ema_decay_) {
      kernels::MoveTowards(ema_.data() + chunk.offset, p, static_cast<float>(1 - *ema_decay_), chunk.count);
    }
  });
  return measure ? std::sqrt(std::accumulate(partial_.begin(), partial_.end(), 0.0)) : 0;
}

}  // namespace node_vae
