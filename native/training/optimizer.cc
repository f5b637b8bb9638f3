#include "training/optimizer.h"

#include <cmath>
#include <numeric>

#include "core/denormals.h"
#include "training/kernels.h"

namespace node_vae {

Optimizer::Optimizer(const ParameterLayout& layout, ThreadTeam& team, const TrainingConfig& config, bool on_device)
    : layout_(layout),
      team_(team),
      spec_(config.optimizer),
      clip_norm_(config.clip_gradient_norm),
      ema_decay_(config.ema_decay),
      on_device_(on_device),
      partial_(layout.chunks().size()) {
  Allocate();
  if (ema_decay_ && !on_device_) ema_ = AlignedBuffer<float>(layout.trainable_native_count());
}

void Optimizer::Allocate() {
  if (on_device_) return;
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

double Optimizer::Correction(double beta) const {
  const bool corrects = spec_.type != OptimizerType::kSgd && spec_.bias_correction;
  return corrects ? 1 - std::pow(beta, static_cast<double>(step_ + 1)) : 1;
}

std::vector<float> Optimizer::Numbers(double learning_rate, double scale) const {
  const double correction1 = Correction(spec_.beta1);
  const double correction2 = Correction(spec_.beta2);
  const double decay = spec_.weight_decay;
  std::vector<double> numbers = {scale, ema_decay_ ? 1 - *ema_decay_ : 0};
  const auto add = [&](std::initializer_list<double> more) { numbers.insert(numbers.end(), more); };
  if (spec_.type == OptimizerType::kSgd) {
    const bool first = step_ == 0;
    add({decay, first ? 0 : spec_.momentum, first ? 1 : 1 - spec_.dampening, learning_rate});
  } else if (spec_.type == OptimizerType::kAdamW && spec_.form == AdamWForm::kOnnxRuntime) {
    const double step_size = learning_rate * std::sqrt(correction2) / correction1;
    add({spec_.beta1, 1 - spec_.beta1, spec_.beta2, 1 - spec_.beta2, step_size, learning_rate * decay});
  } else {
    const double step_size = learning_rate / correction1;
    const double root_scale = 1 / std::sqrt(correction2);
    add({decay, learning_rate * decay, 1 - spec_.beta1, spec_.beta2, 1 - spec_.beta2, step_size, root_scale});
  }
  return {numbers.begin(), numbers.end()};
}

double Optimizer::Apply(float* parameters, const float* gradients, double scale, double norm, double learning_rate,
                        bool measure) {
  if (clip_norm_) {
    // As PyTorch's clip_grad_norm_.
    const double coefficient = *clip_norm_ / (norm + 1e-6);
    if (coefficient < 1) scale *= coefficient;
  }
  const bool first = step_ == 0;
  const bool adam = spec_.type != OptimizerType::kSgd;
  const double correction1 = Correction(spec_.beta1);
  const double correction2 = Correction(spec_.beta2);
  ++step_;
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
