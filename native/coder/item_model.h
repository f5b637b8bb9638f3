#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "coder/dense.h"
#include "coder/distributions.h"

// The model behind the codec: a VAE whose networks run in integers and whose likelihood of a value
// depends on the latents and on values already decoded nearby (local autoregression, as in Chen et
// al. 2017, "Variational Lossy Autoencoder", arXiv:1611.02731, section 3.2). Items are arrays of
// bytes [height, width, channels]; the values of an item are ordered as they lie in memory.
namespace node_vae::coder {

// A neighbour `rows` above and `columns` to the right, in values: columns count width * channels.
struct Neighbour {
  int32_t rows;
  int32_t columns;
};

struct ItemModelSpec {
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  size_t latents = 0;
  // Each latent is one of 2^latent_bits buckets of its prior.
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
};

// A chain of layers with its scratch sizes.
class DenseStack {
 public:
  DenseStack() = default;
  DenseStack(const char* name, const std::vector<DenseSpec>& specs, std::vector<int32_t> input_limits);

  size_t input_stride() const noexcept { return layers_.front().input_stride(); }
  size_t outputs() const noexcept { return layers_.back().outputs(); }
  int32_t output_limit() const noexcept { return layers_.back().output_limit(); }

  struct Scratch {
    std::vector<int32_t> sums;
    std::vector<int16_t> first;
    std::vector<int16_t> second;
  };
  // `outputs` takes rows of `output_stride` >= outputs().
  void Run(const int16_t* inputs, size_t rows, int16_t* outputs, size_t output_stride, Scratch& scratch) const;

 private:
  std::vector<Dense> layers_;
  size_t widest_ = 0;
};

// Immutable and shared by any number of threads.
class ItemModel {
 public:
  // Copies the numbers. Throws Error(kFormat) when they do not make a model.
  explicit ItemModel(const ItemModelSpec& spec);

  size_t item_size() const noexcept { return height_ * row_; }
  size_t latents() const noexcept { return latents_; }
  int latent_bits() const noexcept { return latent_bits_; }
  // Rows of values with a zero border, so that every neighbour of every value can be read.
  size_t plane_size() const noexcept { return plane_size_; }
  size_t feature_size() const noexcept { return item_size() * features_; }

  // Posterior of each item: [count][2 * latents].
  void Encode(const uint8_t* items, size_t count, int16_t* posterior, DenseStack::Scratch& scratch) const;
  // Latents [count][latent_stride()] -> features [count][feature_size()].
  void Decode(const int16_t* latents, size_t count, int16_t* features, DenseStack::Scratch& scratch) const;
  size_t latent_stride() const noexcept { return decoder_.input_stride(); }

  void FillPlane(const uint8_t* item, int16_t* plane) const;
  size_t PlaneIndex(size_t position) const noexcept {
    return border_rows_ * plane_row_ + border_left_ + position / row_ * plane_row_ + position % row_;
  }
  // One row of the local network's input, for the value at `position` (PlaneIndex gives `at`).
  void Gather(const int16_t* plane, size_t at, const int16_t* features, size_t position, int16_t* row) const noexcept {
    for (const auto& run : runs_) {
      const int16_t* from = plane + at + run.offset;
      for (size_t i = 0; i < run.length; ++i) *row++ = from[i];
    }
    const int16_t* own = features + position * features_;
    for (size_t i = 0; i < features_; ++i) *row++ = own[i];
  }
  size_t local_stride() const noexcept { return local_.input_stride(); }
  size_t raw_size() const noexcept { return 3 * components_ + 1; }
  struct LocalScratch {
    std::vector<int16_t> tops;
    std::vector<int32_t> sums;
  };
  // Rows [count][local_stride()] -> raw [count][raw_size()].
  void RunLocal(const int16_t* rows, size_t count, int16_t* raw, DenseStack::Scratch& scratch,
                LocalScratch& local) const;
  PixelMixture Mixture(const int16_t* raw) const noexcept { return {raw, static_cast<int>(components_)}; }

 private:
  // Neighbours that follow one another in memory.
  struct NeighbourRun {
    ptrdiff_t offset;
    size_t length;
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
  std::vector<NeighbourRun> runs_;
  DenseStack encoder_;
  DenseStack decoder_;
  DenseStack local_;
  Dense output_;
  size_t neighbours_;
};

}  // namespace node_vae::coder
