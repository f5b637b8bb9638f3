#include "coder/latent_codec.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "coder/demand.h"
#include "core/error.h"

namespace node_vae::coder {

namespace {

// What a residual and its mean stand for, the same when coding and when decoding.
float Latent(int32_t residual, int16_t mean, int mean_bits) noexcept {
  return static_cast<float>(residual * (1 << mean_bits) + mean) / static_cast<float>(1 << mean_bits);
}

// The nearest integer within the limit; NaN becomes 0. Any choice of the encoder's decodes.
int32_t Rounded(float value, int32_t most) noexcept {
  if (!(value >= static_cast<float>(-most))) return value < 0 ? -most : 0;
  if (value > static_cast<float>(most)) return most;
  return static_cast<int32_t>(std::lrintf(value));
}

}  // namespace

LatentCodec::LatentCodec(const LatentCodecSpec& spec)
    : channels_(spec.channels),
      hyper_channels_(spec.hyper_channels),
      coded_(spec.hyper_channels > 0 ? spec.hyper_channels : spec.channels),
      levels_(spec.levels) {
  Demand(channels_ >= 1 && channels_ <= 4096 && hyper_channels_ <= 4096, "its number of channels is out of range");
  Demand(levels_ >= 1 && levels_ <= 64, "its number of levels is out of range");
  Demand(spec.components >= 1 && spec.components <= 16, "its prior has 1 to 16 components");
  Demand(spec.prior.size() == levels_ * coded_ * spec.components, "its prior has another size than it says");
  for (size_t i = 0; i < levels_ * coded_; ++i) {
    priors_.push_back(SymbolTable::Mixture(std::span(spec.prior).subspan(i * spec.components, spec.components)));
  }
  Demand(hyperprior() == !spec.hyper.empty(), "it has hyper-latents without a network, or a network without them");
  if (!hyperprior()) return;
  hyper_ = IntegerConvNet("hyper", spec.hyper, hyper_channels_, kMostHyper);
  Demand(hyper_.outputs() == 2 * channels_, "its hyper network does not give a mean and a scale for each latent");
  for (int index = 0; index < SymbolTable::kScales; ++index) scales_.push_back(SymbolTable::Logistic(index));
}

size_t LatentCodec::Latents(size_t height, size_t width) const {
  if (height < 1 || width < 1 || height > kMostLatents || width > kMostLatents / height ||
      height * width > kMostLatents / (2 * channels_)) {
    throw Error(code::kShape, "A picture of " + std::to_string(width) + " x " + std::to_string(height) +
                                  " latents is empty or too large to code.");
  }
  return channels_ * height * width;
}

void LatentCodec::CheckLevel(size_t level) const {
  if (level >= levels_) {
    throw Error(code::kFormat, "The picture is coded at level " + std::to_string(level) + ", and the model has " +
                                   std::to_string(levels_) + ": the bytes are damaged or of another model.");
  }
}

std::vector<int16_t> LatentCodec::Statistics(const std::vector<int16_t>& hyper, size_t height, size_t width) const {
  const size_t rows = HyperSide(height);
  const size_t columns = HyperSide(width);
  // From [channels][rows][columns] to [rows][columns][channels].
  std::vector<int16_t> moved(hyper.size());
  for (size_t c = 0; c < hyper_channels_; ++c) {
    for (size_t at = 0; at < rows * columns; ++at) moved[at * hyper_channels_ + c] = hyper[c * rows * columns + at];
  }
  std::vector<int16_t> made = hyper_.Run(std::move(moved), rows, columns);
  const size_t stride = columns * hyper_.scale();
  const size_t values = 2 * channels_;
  for (size_t y = 0; y < height; ++y) {
    std::copy_n(made.begin() + static_cast<ptrdiff_t>(y * stride * values), width * values,
                made.begin() + static_cast<ptrdiff_t>(y * width * values));
  }
  made.resize(height * width * values);
  return made;
}

std::vector<uint8_t> LatentCodec::Encode(std::span<float> latents, std::span<const float> hyper, size_t height,
                                         size_t width, size_t level) const {
  CheckLevel(level);
  if (latents.size() != Latents(height, width)) throw Error(code::kShape, "The latents have another size than they say.");
  const size_t plane = height * width;
  // A stack: what is to be decoded first is pushed last. So everything goes in from its end, and no symbol is kept.
  RansStack message(1);
  std::vector<CodedSymbol> symbols;
  const auto push = [&](const SymbolTable& table, int32_t value) {
    symbols.clear();
    table.Append(value, symbols);
    for (size_t i = symbols.size(); i-- > 0;) message.Push(0, symbols[i].interval, symbols[i].precision);
  };
  if (hyperprior()) {
    const size_t hyper_plane = HyperSide(height) * HyperSide(width);
    if (hyper.size() != hyper_channels_ * hyper_plane) {
      throw Error(code::kShape, "The hyper-latents have another size than they say.");
    }
    std::vector<int16_t> z(hyper.size());
    for (size_t i = 0; i < z.size(); ++i) z[i] = static_cast<int16_t>(Rounded(hyper[i], kMostHyper));
    const std::vector<int16_t> statistics = Statistics(z, height, width);
    for (size_t c = channels_; c-- > 0;) {
      for (size_t at = plane; at-- > 0;) {
        const int16_t* own = statistics.data() + at * 2 * channels_;
        const float mean = static_cast<float>(own[c]) / (1 << kMeanBits);
        const int scale = std::clamp<int>(own[channels_ + c], 0, SymbolTable::kScales - 1);
        float& latent = latents[c * plane + at];
        const int32_t residual = Rounded(latent - mean, SymbolTable::kMostValue);
        push(scales_[static_cast<size_t>(scale)], residual);
        latent = Latent(residual, own[c], kMeanBits);
      }
    }
    for (size_t i = z.size(); i-- > 0;) push(Prior(level, i / hyper_plane), z[i]);
  } else {
    for (size_t i = latents.size(); i-- > 0;) {
      const int32_t value = Rounded(latents[i], SymbolTable::kMostValue);
      push(Prior(level, i / plane), value);
      latents[i] = static_cast<float>(value);
    }
  }
  return message.Serialize();
}

void LatentCodec::Decode(std::span<const uint8_t> bytes, size_t height, size_t width, size_t level,
                         float* latents) const {
  CheckLevel(level);
  const size_t count = Latents(height, width);
  const size_t plane = height * width;
  RansStack message(1, bytes);
  if (hyperprior()) {
    const size_t hyper_plane = HyperSide(height) * HyperSide(width);
    std::vector<int16_t> z(hyper_channels_ * hyper_plane);
    for (size_t i = 0; i < z.size(); ++i) {
      const int32_t value = Prior(level, i / hyper_plane).Pop(message);
      if (std::abs(value) > kMostHyper) {
        throw Error(code::kFormat, "A coded picture holds an impossible value: it is damaged.");
      }
      z[i] = static_cast<int16_t>(value);
    }
    const std::vector<int16_t> statistics = Statistics(z, height, width);
    for (size_t c = 0; c < channels_; ++c) {
      for (size_t at = 0; at < plane; ++at) {
        const int16_t* own = statistics.data() + at * 2 * channels_;
        const int scale = std::clamp<int>(own[channels_ + c], 0, SymbolTable::kScales - 1);
        const int32_t residual = scales_[static_cast<size_t>(scale)].Pop(message);
        latents[c * plane + at] = Latent(residual, own[c], kMeanBits);
      }
    }
  } else {
    for (size_t i = 0; i < count; ++i) latents[i] = static_cast<float>(Prior(level, i / plane).Pop(message));
  }
  if (!message.IsEmpty()) {
    throw Error(code::kFormat, "A coded picture does not decode to its end: it is damaged, or was made with another model.");
  }
}

}  // namespace node_vae::coder
