#include "coder/item_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "coder/demand.h"
#include "core/error.h"

namespace node_vae::coder {

namespace {

constexpr size_t kMaxSide = 1 << 20;
constexpr size_t kMaxValues = size_t{1} << 24;
constexpr size_t kMaxNeighbours = 4096;
constexpr int32_t kMaxReach = 256;
constexpr size_t kMaxLatents = 65536;
constexpr size_t kMaxLevels = 32;

}  // namespace

ItemModel::ItemModel(const ItemModelSpec& spec)
    : height_(spec.height),
      row_(0),
      latents_(spec.latents),
      latent_bits_(spec.latent_bits),
      features_(spec.features),
      components_(spec.components) {
  Demand(spec.height >= 1 && spec.height <= kMaxSide && spec.width >= 1 && spec.width <= kMaxSide &&
             spec.channels >= 1 && spec.channels <= 4096,
         "its item shape is out of range");
  Demand(spec.width * spec.channels <= kMaxValues && spec.height <= kMaxValues / (spec.width * spec.channels),
         "its items are larger than 16 million values");
  row_ = spec.width * spec.channels;
  Demand(latents_ >= 1 && latents_ <= kMaxLatents, "its number of latents is out of range");
  Demand(latent_bits_ >= 1 && latent_bits_ <= DiscretisedNormal::kMaxBits, "its latents have 1 to 11 bits");
  Demand(features_ >= 1 && features_ <= 1024, "its number of features is out of range");
  Demand(components_ >= 1 && components_ <= PixelMixture::kMaxComponents, "its mixture has 1 to 16 components");
  Demand(spec.neighbours.size() >= 1 && spec.neighbours.size() <= kMaxNeighbours, "its neighbours are out of range");

  size_t right = 0;
  for (const Neighbour& neighbour : spec.neighbours) {
    Demand(neighbour.rows >= 0 && neighbour.rows <= kMaxReach && neighbour.columns >= -kMaxReach &&
               neighbour.columns <= kMaxReach,
           "a neighbour is out of reach");
    Demand(neighbour.rows > 0 || neighbour.columns < 0, "a neighbour is not decoded before its value");
    border_rows_ = std::max(border_rows_, static_cast<size_t>(neighbour.rows));
    if (neighbour.columns < 0) border_left_ = std::max(border_left_, static_cast<size_t>(-neighbour.columns));
    if (neighbour.columns > 0) right = std::max(right, static_cast<size_t>(neighbour.columns));
  }
  plane_row_ = border_left_ + row_ + right;
  plane_size_ = (border_rows_ + height_) * plane_row_ + 7;
  // In rising order, so that what one writes too much the next one mends.
  neighbours_ = spec.neighbours.size();
  ptrdiff_t next = 0;
  size_t together = 8;
  for (size_t i = 0; i < neighbours_; ++i) {
    const Neighbour& neighbour = spec.neighbours[i];
    const ptrdiff_t offset =
        neighbour.columns - static_cast<ptrdiff_t>(plane_row_) * static_cast<ptrdiff_t>(neighbour.rows);
    if (together == 8 || offset != next) {
      eights_.push_back({offset, i});
      together = 0;
    }
    ++together;
    next = offset + 1;
  }

  const auto inputs_of = [](const std::vector<DenseSpec>& layers) { return layers.empty() ? 0 : layers[0].inputs; };
  Demand(inputs_of(spec.encoder) == item_size(), "its encoder does not take its items");
  encoder_ = DenseStack("encoder", spec.encoder, std::vector<int32_t>(item_size(), 255));
  Demand(encoder_.outputs() == 2 * latents_, "its encoder does not give a posterior");
  Demand(inputs_of(spec.decoder) == latents_, "its decoder does not take its latents");
  decoder_ = DenseStack("decoder", spec.decoder, std::vector<int32_t>(latents_, NormalQuantile(4095)));
  Demand(decoder_.outputs() == item_size() * features_, "its decoder does not give features");
  local_ = LocalNetwork(spec.local, spec.neighbours.size(), features_, decoder_.output_limit(), components_);

  Demand(spec.levels.size() < kMaxLevels, "it has more than 32 levels of latents");
  for (const LevelSpec& level : spec.levels) {
    const size_t below = latents(upper_.size());
    const std::string name = "level." + std::to_string(upper_.size() + 1);
    Demand(level.latents >= 1 && level.latents <= kMaxLatents, name + "'s number of latents is out of range");
    Demand(inputs_of(level.encoder) == below, name + "'s encoder does not take the latents below");
    Demand(inputs_of(level.prior) == level.latents, name + "'s prior network does not take its latents");
    const auto network = [&](const char* part, const std::vector<DenseSpec>& layers) {
      return DenseStack((name + "." + part).c_str(), layers,
                        std::vector<int32_t>(layers[0].inputs, NormalQuantile(4095)));
    };
    Level made{level.latents, network("encoder", level.encoder), network("prior", level.prior)};
    Demand(made.encoder.outputs() == 2 * level.latents, name + "'s encoder does not give a posterior");
    Demand(made.prior.outputs() == 2 * below, name + "'s prior network does not give a prior of the latents below");
    upper_.push_back(std::move(made));
  }
}

void ItemModel::EncodeLevel(size_t level, const int16_t* below, size_t count, int16_t* posterior,
                            DenseStack::Scratch& scratch) const {
  upper_[level - 1].encoder.Run(below, count, posterior, 2 * latents(level), scratch);
}

void ItemModel::PriorBelow(size_t level, const int16_t* latents_of_level, size_t count, int16_t* prior,
                           DenseStack::Scratch& scratch) const {
  upper_[level - 1].prior.Run(latents_of_level, count, prior, 2 * latents(level - 1), scratch);
}

void ItemModel::Encode(const uint8_t* items, size_t count, int16_t* posterior, DenseStack::Scratch& scratch) const {
  const size_t stride = encoder_.input_stride();
  std::vector<int16_t> inputs(count * stride, 0);
  for (size_t i = 0; i < count; ++i) std::copy_n(items + i * item_size(), item_size(), inputs.data() + i * stride);
  encoder_.Run(inputs.data(), count, posterior, 2 * latents_, scratch);
}

void ItemModel::Decode(const int16_t* latents, size_t count, int16_t* features, DenseStack::Scratch& scratch) const {
  decoder_.Run(latents, count, features, feature_size(), scratch);
}

void ItemModel::FillPlane(const uint8_t* item, int16_t* plane) const {
  std::fill_n(plane, plane_size_, int16_t{0});
  for (size_t y = 0; y < height_; ++y) {
    std::copy_n(item + y * row_, row_, plane + (border_rows_ + y) * plane_row_ + border_left_);
  }
}

}  // namespace node_vae::coder
