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

DenseStack::DenseStack(const char* name, const std::vector<DenseSpec>& specs, std::vector<int32_t> input_limits) {
  Demand(!specs.empty(), std::string(name) + " has no layers");
  for (size_t i = 0; i < specs.size(); ++i) {
    layers_.emplace_back(std::string(name) + "." + std::to_string(i), specs[i], input_limits);
    input_limits.assign(layers_[i].outputs(), layers_[i].output_limit());
    if (i + 1 < specs.size()) {
      Demand(specs[i + 1].inputs == specs[i].outputs, std::string(name) + "'s layers do not fit together");
      widest_ = std::max(widest_, layers_[i].outputs() + 1);
    }
  }
}

void DenseStack::Run(const int16_t* inputs, size_t rows, int16_t* outputs, size_t output_stride,
                     Scratch& scratch) const {
  size_t sums = 0;
  for (const Dense& layer : layers_) sums = std::max(sums, layer.scratch(rows));
  if (scratch.sums.size() < sums) scratch.sums.resize(sums);
  if (scratch.first.size() < rows * widest_) {
    scratch.first.resize(rows * widest_);
    scratch.second.resize(rows * widest_);
  }
  const int16_t* from = inputs;
  int16_t* to = scratch.first.data();
  for (size_t i = 0; i < layers_.size(); ++i) {
    const bool last = i + 1 == layers_.size();
    layers_[i].Run(from, rows, last ? outputs : to, last ? output_stride : layers_[i + 1].input_stride(),
                   scratch.sums.data());
    from = to;
    to = to == scratch.first.data() ? scratch.second.data() : scratch.first.data();
  }
}

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
  plane_size_ = (border_rows_ + height_) * plane_row_;
  for (const Neighbour& neighbour : spec.neighbours) {
    const ptrdiff_t offset =
        neighbour.columns - static_cast<ptrdiff_t>(plane_row_) * static_cast<ptrdiff_t>(neighbour.rows);
    if (!runs_.empty() && runs_.back().offset + static_cast<ptrdiff_t>(runs_.back().length) == offset) {
      ++runs_.back().length;
    } else {
      runs_.push_back({offset, 1});
    }
  }

  const auto inputs_of = [](const std::vector<DenseSpec>& layers) { return layers.empty() ? 0 : layers[0].inputs; };
  Demand(inputs_of(spec.encoder) == item_size(), "its encoder does not take its items");
  encoder_ = DenseStack("encoder", spec.encoder, std::vector<int32_t>(item_size(), 255));
  Demand(encoder_.outputs() == 2 * latents_, "its encoder does not give a posterior");
  Demand(inputs_of(spec.decoder) == latents_, "its decoder does not take its latents");
  decoder_ = DenseStack("decoder", spec.decoder, std::vector<int32_t>(latents_, NormalQuantile(4095)));
  Demand(decoder_.outputs() == item_size() * features_, "its decoder does not give features");
  Demand(spec.local.size() >= 2, "its local network has fewer than two layers");
  neighbours_ = spec.neighbours.size();
  Demand(inputs_of(spec.local) == neighbours_ + features_, "its local network does not take neighbours and features");
  std::vector<int32_t> limits(neighbours_, 255);
  limits.insert(limits.end(), features_, decoder_.output_limit());
  local_ = DenseStack("local", {spec.local.begin(), spec.local.end() - 1}, limits);
  limits.assign(local_.outputs(), local_.output_limit());
  limits.insert(limits.end(), neighbours_, 255);
  Demand(spec.local.back().inputs == limits.size(), "its last local layer does not take the one before and neighbours");
  output_ = Dense("local.last", spec.local.back(), limits);
  Demand(output_.outputs() == raw_size(), "its local network does not give a mixture");

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

void ItemModel::RunLocal(const int16_t* rows, size_t count, int16_t* raw, DenseStack::Scratch& scratch,
                         LocalScratch& local) const {
  const size_t stride = output_.input_stride();
  if (local.tops.size() < count * stride) {
    local.tops.resize(count * stride);
    local.sums.resize(output_.scratch(count));
  }
  int16_t* tops = local.tops.data();
  local_.Run(rows, count, tops, stride, scratch);
  for (size_t i = 0; i < count; ++i) {
    std::copy_n(rows + i * local_stride(), neighbours_, tops + i * stride + local_.outputs());
  }
  output_.Run(tops, count, raw, raw_size(), local.sums.data());
}

void ItemModel::FillPlane(const uint8_t* item, int16_t* plane) const {
  std::fill_n(plane, plane_size_, int16_t{0});
  for (size_t y = 0; y < height_; ++y) {
    std::copy_n(item + y * row_, row_, plane + (border_rows_ + y) * plane_row_ + border_left_);
  }
}

}  // namespace node_vae::coder
