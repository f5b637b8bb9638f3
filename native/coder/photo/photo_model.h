#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/item_model.h"
#include "coder/photo/photo_features.h"

// The numbers that photographs are coded under.
namespace node_vae::coder {

struct PhotoModelSpec {
  struct RoleSpec {
    // BlockPredictorSpec::prior.
    std::vector<int32_t> prior;
    // Of each effort: PhotoFeatures::Count() features to 3 * components numbers (see SampleMixture).
    std::vector<std::vector<DenseSpec>> networks;
  };
  size_t components = 0;
  std::array<RoleSpec, kRoles> roles;
};

// Immutable and shared by any number of threads.
class PhotoModel {
 public:
  static constexpr size_t kMostEfforts = 2;

  // Copies the numbers. Throws Error(kFormat) when they do not make a model.
  explicit PhotoModel(const PhotoModelSpec& spec);

  size_t components() const noexcept { return components_; }
  size_t efforts() const noexcept { return networks_[0].size(); }
  const std::vector<int32_t>& prior(Role role) const { return priors_[static_cast<size_t>(role)]; }
  const DenseStack& network(Role role, size_t effort) const { return networks_[static_cast<size_t>(role)][effort]; }

 private:
  size_t components_;
  std::array<std::vector<int32_t>, kRoles> priors_;
  std::array<std::vector<DenseStack>, kRoles> networks_;
};

}  // namespace node_vae::coder
