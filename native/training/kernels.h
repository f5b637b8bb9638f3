#pragma once

#include <cstddef>
#include <cstdint>

// The loops that touch every parameter or every input value. Each gives the same bits on every
// processor (see core/clones.h) and leaves threads to its caller.
namespace node_vae::kernels {

// Sum of squares, in double precision and a fixed order; not finite exactly when some value is not.
double SumOfSquares(const float* values, size_t count) noexcept;

// sum += values
void Add(float* sum, const float* values, size_t count) noexcept;

// average += (values - average) * rate
void MoveTowards(float* average, const float* values, float rate, size_t count) noexcept;

struct SgdStep {
  float gradient_scale;
  float weight_decay;
  float learning_rate;
  float momentum;
  float undampened;  // 1 - dampening
  bool nesterov;
  bool first;  // the momentum buffer takes the first gradient as it is
};

// One step of stochastic gradient descent as PyTorch defines it. `momentum` is null when there is
// none. Returns the sum of squares of the updates when `measure`, else 0.
double Sgd(float* parameters, const float* gradients, float* momentum, const SgdStep& step, size_t count,
           bool measure) noexcept;

struct AdamStep {
  float gradient_scale;
  float l2;           // weight decay added to the gradient (Adam)
  float shrink;       // factor on the parameters (AdamW): 1 - learning rate * weight decay
  float rate1;        // 1 - beta1
  float beta2;
  float rate2;        // 1 - beta2
  float step_size;    // learning rate / (1 - beta1^t)
  float root_scale;   // 1 / sqrt(1 - beta2^t)
  float epsilon;
};

// One step of Adam (Kingma and Ba 2015, algorithm 1) or AdamW (Loshchilov and Hutter 2019,
// algorithm 2), bias-corrected as in PyTorch: epsilon is added to the corrected root.
double Adam(float* parameters, const float* gradients, float* moment1, float* moment2, const AdamStep& step,
            size_t count, bool measure) noexcept;

struct AdamWOrtStep {
  float gradient_scale;
  float beta1;
  float rate1;  // 1 - beta1
  float beta2;
  float rate2;      // 1 - beta2
  float step_size;  // learning rate * sqrt(1 - beta2^t) / (1 - beta1^t)
  float epsilon;
  float decay;  // learning rate * weight decay
};

// One step of AdamW as ONNX Runtime's training operator computes it (AdamWOptimizer, adam_mode 1, which is that of
// Hugging Face's transformers): epsilon is added to the root before the correction, and the weights decay afterwards.
double AdamWOrt(float* parameters, const float* gradients, float* moment1, float* moment2, const AdamWOrtStep& step,
                size_t count, bool measure) noexcept;

// out = in * scale + offset
void Affine(float* out, const uint8_t* in, float scale, float offset, size_t count) noexcept;
void Affine(float* out, const float* in, float scale, float offset, size_t count) noexcept;

// values = values > thresholds ? 1 : 0
void Binarise(float* values, const float* thresholds, size_t count) noexcept;
void Binarise(float* values, float threshold, size_t count) noexcept;

void Widen(int64_t* out, const uint8_t* in, size_t count) noexcept;

}  // namespace node_vae::kernels
