#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "coder/integer_conv.h"
#include "coder/symbol_table.h"

// The quantized latents of a picture to bytes and back. With a hyperprior (Minnen, Ballé, Toderici
// 2018, arXiv:1809.02736) the hyper-latents z are coded under a factorised prior, and a network that
// runs in integers makes of them a mean and a scale for every latent; without one the latents
// themselves are coded under a factorised prior (Ballé, Laparra, Simoncelli 2017, arXiv:1611.01704).
namespace node_vae::coder {

struct LatentCodecSpec {
  // Channels of the latents, [channels][height][width].
  size_t channels = 0;
  // Channels of the hyper-latents; 0 without a hyperprior.
  size_t hyper_channels = 0;
  // z (integers) to 2 * channels: means * 2^kMeanBits, then indices of SymbolTable::Logistic. Empty
  // without a hyperprior.
  std::vector<IntegerConvSpec> hyper;
  // Factorised priors, [levels][coded channels][components]; coded are those of z, or of the latents
  // themselves without a hyperprior.
  size_t levels = 0;
  size_t components = 0;
  std::vector<SymbolTable::Component> prior;
};

// Immutable and shared by any number of threads.
class LatentCodec {
 public:
  static constexpr int kMeanBits = 5;
  // |z| is limited to this.
  static constexpr int32_t kMostHyper = 255;
  // No more latents than this in one picture.
  static constexpr size_t kMostLatents = size_t{1} << 30;

  // Copies the numbers. Throws Error(kFormat) when they do not make a model.
  explicit LatentCodec(const LatentCodecSpec& spec);

  size_t channels() const noexcept { return channels_; }
  size_t hyper_channels() const noexcept { return hyper_channels_; }
  size_t levels() const noexcept { return levels_; }
  bool hyperprior() const noexcept { return hyper_channels_ > 0; }
  // Throws Error(kShape) when a picture of this size cannot be coded.
  size_t Latents(size_t height, size_t width) const;
  // Height or width of z for one of the latents.
  size_t HyperSide(size_t side) const noexcept { return (side + hyper_.scale() - 1) / hyper_.scale(); }

  // Latents [channels][height][width] and hyper-latents [hyper_channels][HyperSide][HyperSide] in
  // floating point, which are rounded; the latents in their place, to what Decode() gives.
  std::vector<uint8_t> Encode(std::span<float> latents, std::span<const float> hyper, size_t height, size_t width,
                              size_t level) const;
  // The latents as they were rounded; multiples of 2^-kMeanBits. Throws Error(kFormat) for bytes that
  // are no picture of this size and model.
  void Decode(std::span<const uint8_t> bytes, size_t height, size_t width, size_t level, float* latents) const;

 private:
  // Means and scale indices [height][width][2 * channels], cropped from what the network makes.
  std::vector<int16_t> Statistics(const std::vector<int16_t>& hyper, size_t height, size_t width) const;
  const SymbolTable& Prior(size_t level, size_t channel) const { return priors_[level * coded_ + channel]; }
  void CheckLevel(size_t level) const;

  size_t channels_;
  size_t hyper_channels_;
  size_t coded_;
  size_t levels_;
  IntegerConvNet hyper_;
  std::vector<SymbolTable> priors_;
  std::vector<SymbolTable> scales_;
};

}  // namespace node_vae::coder
