#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "coder/dense_stack.h"
#include "coder/distributions.h"
#include "coder/local_network.h"

// The model behind the codec: a VAE whose networks run in integers and whose likelihood of a value
// depends on the latents and on values already decoded nearby (local autoregression, as in Chen et
// al. 2017, "Variational Lossy Autoencoder", arXiv:1611.02731, section 3.2). Items are arrays of
// bytes [height, width, channels]; the values of an item are ordered as they lie in memory.
//
// The latents may be a chain of levels, z1 next to the data: inferred upwards, q(z1|x) q(z2|z1) ..., and
// generated downwards, p(zL) ... p(z1|z2) p(x|z1) (Kingma, Abbeel, Ho 2019, "Bit-Swap",
// arXiv:1905.06845, section 2.3). The highest level's prior is the standard normal.
namespace node_vae::coder {

// A neighbour `rows` above and `columns` to the right, in values: columns count width * channels.
struct Neighbour {
  int32_t rows;
  int32_t columns;
};

// A level of latents above the first.
struct LevelSpec {
  size_t latents = 0;
  // Latents of the level below (* 2^12) -> the posterior of this one, numbers as ItemModelSpec::encoder gives.
  std::vector<DenseSpec> encoder;
  // Latents of this level (* 2^12) -> means (* 2^12) of the level below, then log2 of its precisions (* 2^8).
  std::vector<DenseSpec> prior;
};

struct ItemModelSpec {
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  // Of the first level.
  size_t latents = 0;
  // Each latent, of whatever level, is one of 2^latent_bits buckets, equally likely under the standard normal.
  int latent_bits = 0;
  // Numbers that the decoder hands to the local network for each value of the item.
  size_t features = 0;
  size_t components = 0;
  std::vector<Neighbour> neighbours;
  // Item values -> means (* 2^12) of the posterior, then log2 of its precisions (* 2^8).
  std::vector<DenseSpec> encoder;
  // Latents (* 2^12) -> features of every value.
  std::vector<DenseSpec> decoder;
  // Neighbours, then features -> the raw numbers of PixelMixture. The last layer, of at least two,
  // takes the outputs of the one before it and then the neighbours once more.
  std::vector<DenseSpec> local;
  // The second level and those above it; empty for a model of one.
  std::vector<LevelSpec> levels;
};

// Immutable and shared by any number of threads.
class ItemModel {
 public:
  // Copies the numbers. Throws Error(kFormat) when they do not make a model.
  explicit ItemModel(const ItemModelSpec& spec);

  size_t item_size() const noexcept { return height_ * row_; }
  size_t levels() const noexcept { return 1 + upper_.size(); }
  // Latents of a level, the first being 0.
  size_t latents(size_t level = 0) const noexcept { return level == 0 ? latents_ : upper_[level - 1].latents; }
  int latent_bits() const noexcept { return latent_bits_; }
  // Rows of values with a zero border, so that every neighbour of every value can be read, eight at a time.
  size_t plane_size() const noexcept { return plane_size_; }
  size_t feature_size() const noexcept { return item_size() * features_; }

  // Posterior of each item: [count][2 * latents].
  void Encode(const uint8_t* items, size_t count, int16_t* posterior, DenseStack::Scratch& scratch) const;
  // Latents [count][latent_stride()] -> features [count][feature_size()].
  void Decode(const int16_t* latents, size_t count, int16_t* features, DenseStack::Scratch& scratch) const;
  // Elements of an item's latents of a level, as the networks take them: an even number, zeros at the end.
  size_t latent_stride(size_t level = 0) const noexcept { return (latents(level) + 1) / 2 * 2; }
  // Latents of the level below [count][latent_stride(level - 1)] -> posterior of `level` >= 1
  // [count][2 * latents(level)].
  void EncodeLevel(size_t level, const int16_t* below, size_t count, int16_t* posterior,
                   DenseStack::Scratch& scratch) const;
  // Latents of `level` >= 1 [count][latent_stride(level)] -> prior of the level below
  // [count][2 * latents(level - 1)].
  void PriorBelow(size_t level, const int16_t* latents, size_t count, int16_t* prior,
                  DenseStack::Scratch& scratch) const;

  void FillPlane(const uint8_t* item, int16_t* plane) const;
  size_t PlaneIndex(size_t position) const noexcept {
    return border_rows_ * plane_row_ + border_left_ + position / row_ * plane_row_ + position % row_;
  }
  const LocalNetwork& local() const noexcept { return local_; }
  // The inputs of the local network's row for the value at `position` (PlaneIndex gives `at`). Up to seven elements are
  // read beyond the features of all values.
  void Gather(const int16_t* plane, size_t at, const int16_t* features, size_t position, int16_t* row) const noexcept {
    row += local_.inputs();
    for (const Eight& eight : eights_) std::memcpy(row + eight.to, plane + at + eight.from, 16);
    const int16_t* own = features + position * features_;
    row += neighbours_;
    for (size_t i = 0; i < features_; i += 8) std::memcpy(row + i, own + i, 16);
  }
  PixelMixture Mixture(const int16_t* raw, uint32_t zero) const noexcept {
    return {raw, static_cast<int>(components_), zero};
  }

 private:
  // Up to eight neighbours that follow one another in memory.
  struct Eight {
    ptrdiff_t from;
    size_t to;
  };

  struct Level {
    size_t latents;
    DenseStack encoder;
    DenseStack prior;
  };

  size_t height_;
  size_t row_;  // values in a row of the item
  size_t latents_;
  int latent_bits_;
  size_t features_;
  size_t components_;
  size_t border_rows_ = 0;
  size_t border_left_ = 0;
  size_t plane_row_ = 0;
  size_t plane_size_ = 0;
  size_t neighbours_ = 0;
  std::vector<Eight> eights_;
  DenseStack encoder_;
  DenseStack decoder_;
  LocalNetwork local_;
  std::vector<Level> upper_;
};

}  // namespace node_vae::coder
