#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "coder/chunk_codec.h"
#include "coder/photo/photo_model.h"

// Tiles of photographs to bytes and back without loss. A sample is predicted by least squares over what was coded near it
// (block_predictor.h); a network that sees its surroundings makes of it a mixture of logistics, which drives the coder.
// Samples are worked on along wavefronts, many rows at once, so that networks run on many samples together.
namespace node_vae::coder {

struct TileShape {
  size_t width = 0;
  size_t height = 0;
  size_t channels = 0;  // 1 to 4: grey, grey and alpha, RGB, RGB and alpha
  int bits = 8;         // 1 to 16
};

// What networks are trained on: for some samples of a role, a row of features and a row of what is to be coded.
struct PhotoSamples {
  // Of the rows' numbers after the features: prediction, alternative, scale and value in 1 / kOne, and the largest value.
  static constexpr size_t kExtra = 5;
  std::array<std::vector<int32_t>, kRoles> rows;
  // Sums of the products that predictors learn from, and of how many blocks.
  std::array<std::vector<int64_t>, kRoles> sums;
  std::array<uint64_t, kRoles> blocks{};
};

class PhotoCodec {
 public:
  static constexpr size_t kMostPixels = size_t{1} << 24;
  static constexpr size_t kMostSide = size_t{1} << 16;

  struct Options {
    size_t effort = 0;
    // Whether it is looked for which values occur and how coarse differences are best looked at; else what is coded says
    // what it did in the first release: models know by it whether a machine computes what their maker's did.
    bool choose = true;
  };

  explicit PhotoCodec(const PhotoModel& model) : model_(model) {}

  // Throws Error(kShape) for a shape that cannot be coded.
  static size_t Samples(const TileShape& shape);

  // `samples` interleaved, each at most 2^bits - 1. Asks `stop` now and then, and throws Error(kAborted) when it says so.
  std::vector<uint8_t> Encode(std::span<const uint8_t> samples, const TileShape& shape, const Options& options,
                              const StopCheck& stop = {});
  std::vector<uint8_t> Encode(std::span<const uint16_t> samples, const TileShape& shape, const Options& options,
                              const StopCheck& stop = {});
  // Throws Error(kFormat) when the bytes are not a tile of this shape and model.
  void Decode(std::span<const uint8_t> bytes, const TileShape& shape, std::span<uint8_t> samples, const StopCheck& stop = {});
  void Decode(std::span<const uint8_t> bytes, const TileShape& shape, std::span<uint16_t> samples, const StopCheck& stop = {});

  // Adds rows of about one of `every` samples, chosen by `seed`. The networks are not run: the model's priors count alone.
  static void Collect(std::span<const uint8_t> samples, const TileShape& shape, const std::array<std::vector<int32_t>, kRoles>& priors,
                      uint32_t every, uint64_t seed, PhotoSamples& into);

 private:
  const PhotoModel& model_;
};

}  // namespace node_vae::coder
