#include "coder/photo/photo_model.h"

#include <string>

#include "coder/demand.h"
#include "coder/photo/sample_mixture.h"

namespace node_vae::coder {

PhotoModel::PhotoModel(const PhotoModelSpec& spec) : components_(spec.components) {
  Demand(components_ >= 2 && components_ <= SampleMixture::kMaxComponents, "its mixture has 2 to 8 components");
  const size_t efforts = spec.roles[0].networks.size();
  Demand(efforts >= 1 && efforts <= kMostEfforts, "it has 1 or 2 efforts");
  for (size_t r = 0; r < kRoles; ++r) {
    const Role role{static_cast<int>(r)};
    const PhotoModelSpec::RoleSpec& from = spec.roles[r];
    const size_t values = PhotoFeatures::Differences(role).size() + 1;
    Demand(from.prior.size() == values * values, "what it assumes of differences has another size");
    for (size_t i = 0; i < values; ++i) {
      Demand(from.prior[i * (values + 1)] >= 0, "what it assumes of differences is impossible");
      for (size_t j = 0; j < i; ++j) {
        Demand(from.prior[i * values + j] == from.prior[j * values + i], "what it assumes of differences is not symmetric");
      }
    }
    priors_[r] = from.prior;
    Demand(from.networks.size() == efforts, "its planes do not have the same number of efforts");
    const size_t features = PhotoFeatures::Count(role);
    for (const std::vector<DenseSpec>& layers : from.networks) {
      Demand(!layers.empty() && layers.front().inputs == features && layers.back().outputs == 3 * components_,
             "a network does not take a sample's features or does not give its mixture");
      const std::vector<int32_t> limits(features, PhotoFeatures::kMostFeature);
      networks_[r].emplace_back("photo", layers, limits);
    }
  }
}

}  // namespace node_vae::coder
