#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "kernels/convolution.h"
#include "ops/custom_op.h"

namespace node_vae {

// Attributes as ONNX's Conv has them: kernel_shape, strides, dilations, pads, group; all must be given.
class ConvAttributes {
 public:
  explicit ConvAttributes(const Ort::ConstKernelInfo& info);

  // The shape of a convolution of this image and map with `weight` [map channels, image channels / group, ...].
  // Throws where they do not fit together.
  ConvShape Shape(const std::vector<int64_t>& image, const std::vector<int64_t>& map,
                  const std::vector<int64_t>& weight) const;
  // Lengths of the map of an image, [N, weight[0], ...].
  std::vector<int64_t> MapOf(const std::vector<int64_t>& image, const std::vector<int64_t>& weight) const;
  // Lengths of the image that a map was made of, with so many elements left over at the end of each axis.
  std::vector<int64_t> ImageOf(const std::vector<int64_t>& map, const std::vector<int64_t>& weight,
                               const std::vector<int64_t>& left_over) const;

  const std::vector<int64_t>& kernel() const noexcept { return kernel_; }
  int64_t group() const noexcept { return group_; }

 private:
  void CheckRank(const std::vector<int64_t>& shape, const char* what) const;

  std::vector<int64_t> kernel_;
  std::vector<int64_t> strides_;
  std::vector<int64_t> dilations_;
  std::vector<int64_t> pads_;
  int64_t group_;
};

// Plans of the shapes that a node has met lately.
template <typename Plan>
class PlanCache {
 public:
  template <typename... Arguments>
  std::shared_ptr<const Plan> Find(const ConvShape& shape, const Arguments&... arguments) {
    const std::lock_guard lock(mutex_);
    for (const auto& plan : plans_) {
      if (plan->shape() == shape) return plan;
    }
    if (plans_.size() >= kMost) plans_.erase(plans_.begin());
    plans_.push_back(std::make_shared<const Plan>(shape, arguments..., ChooseSimdKernels()));
    return plans_.back();
  }

 private:
  static constexpr size_t kMost = 4;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const Plan>> plans_;
};

// Conv(x, weight, bias?): as ONNX's.
class ConvKernel {
 public:
  static constexpr const char* kName = "Conv";
  static constexpr size_t kInputs = 3, kRequiredInputs = 2, kOutputs = 1, kRequiredOutputs = 1;
  explicit ConvKernel(const Ort::ConstKernelInfo& info) : attributes_(info) {}
  void Compute(Ort::KernelContext& context);

 private:
  ConvAttributes attributes_;
  PlanCache<ConvSum> plans_;
};

// ConvTranspose(x, weight, bias?): as ONNX's, output_padding being given.
class ConvTransposeKernel {
 public:
  static constexpr const char* kName = "ConvTranspose";
  static constexpr size_t kInputs = 3, kRequiredInputs = 2, kOutputs = 1, kRequiredOutputs = 1;
  explicit ConvTransposeKernel(const Ort::ConstKernelInfo& info)
      : attributes_(info), left_over_(info.GetAttributes<int64_t>("output_padding")) {}
  void Compute(Ort::KernelContext& context);

 private:
  ConvAttributes attributes_;
  std::vector<int64_t> left_over_;
  PlanCache<ConvSum> plans_;
};

// ConvWeightGradient(image, map): gradient of the weight of map = Conv(image, weight, bias) given that of
// the map, and of the bias where it is asked for.
class ConvWeightGradientKernel {
 public:
  static constexpr const char* kName = "ConvWeightGradient";
  static constexpr size_t kInputs = 2, kRequiredInputs = 2, kOutputs = 2, kRequiredOutputs = 1;
  explicit ConvWeightGradientKernel(const Ort::ConstKernelInfo& info) : attributes_(info) {}
  void Compute(Ort::KernelContext& context);

 private:
  ConvAttributes attributes_;
  PlanCache<ConvWeightGradient> plans_;
};

using ConvOp = CustomOp<ConvKernel>;
using ConvTransposeOp = CustomOp<ConvTransposeKernel>;
using ConvWeightGradientOp = CustomOp<ConvWeightGradientKernel>;

}  // namespace node_vae
