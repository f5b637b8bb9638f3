#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "coder/item_model.h"
#include "coder/latent_codec.h"
#include "coder/photo/photo_model.h"
#include "coder/photo/sample_mixture.h"

// Small models with random numbers, for tests and fuzzing.
namespace node_vae::coder {

// SplitMix64.
class TestRandom {
 public:
  explicit TestRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  uint64_t state_;
};

// Layers with random numbers, which live as long as this does.
class RandomLayers {
 protected:
  explicit RandomLayers(uint64_t seed) : random_(seed) {}

  DenseSpec Layer(size_t inputs, size_t outputs, int16_t low, int16_t high) {
    auto arrays = std::make_unique<Arrays>();
    for (size_t i = 0; i < inputs * outputs; ++i) {
      arrays->weights.push_back(static_cast<int16_t>(static_cast<int64_t>(random_.Below(401)) - 200));
    }
    const bool even = random_.Below(2) == 0;
    for (size_t o = 0; o < outputs; ++o) {
      arrays->bias.push_back(static_cast<int32_t>(static_cast<int64_t>(random_.Below(200001)) - 100000));
      arrays->shift.push_back(static_cast<uint8_t>(even ? 8 : 5 + random_.Below(6)));
    }
    const DenseSpec spec{inputs, outputs, arrays->weights, arrays->bias, arrays->shift, low, high};
    arrays_.push_back(std::move(arrays));
    return spec;
  }

  TestRandom random_;

 private:
  struct Arrays {
    std::vector<int16_t> weights;
    std::vector<int32_t> bias;
    std::vector<uint8_t> shift;
  };
  std::vector<std::unique_ptr<Arrays>> arrays_;
};

class RandomModel : private RandomLayers {
 public:
  explicit RandomModel(uint64_t seed, size_t levels = 1) : RandomLayers(seed) {
    spec_.height = 1 + random_.Below(9);
    spec_.width = 1 + random_.Below(9);
    spec_.channels = 1 + random_.Below(3);
    spec_.latents = 1 + random_.Below(6);
    spec_.latent_bits = 1 + static_cast<int>(random_.Below(11));
    spec_.features = 1 + random_.Below(5);
    spec_.components = 1 + random_.Below(5);
    for (int32_t row = static_cast<int32_t>(random_.Below(3)); row > 0; --row) {
      for (int32_t column = -3; column <= 3; ++column) spec_.neighbours.push_back({row, column});
    }
    spec_.neighbours.push_back({0, -2});
    spec_.neighbours.push_back({0, -1});
    const size_t size = spec_.height * spec_.width * spec_.channels;
    const size_t hidden = 1 + random_.Below(40);
    spec_.encoder = {Layer(size, hidden, 0, 4095), Layer(hidden, 2 * spec_.latents, -8000, 8000)};
    spec_.decoder = {Layer(spec_.latents, hidden, 0, 4095), Layer(hidden, size * spec_.features, -2000, 2000)};
    spec_.local = {Layer(spec_.neighbours.size() + spec_.features, hidden, 0, 4095), Layer(hidden, hidden, 0, 4095),
                   Layer(hidden + spec_.neighbours.size(), 3 * spec_.components + 1, -32768, 32767)};
    for (size_t below = spec_.latents; spec_.levels.size() + 1 < levels; below = spec_.levels.back().latents) {
      LevelSpec level;
      level.latents = 1 + random_.Below(6);
      level.encoder = {Layer(below, hidden, 0, 4095), Layer(hidden, 2 * level.latents, -8000, 8000)};
      level.prior = {Layer(level.latents, 2 * below, -8000, 8000)};
      spec_.levels.push_back(std::move(level));
    }
  }

  const ItemModelSpec& spec() const { return spec_; }

 private:
  ItemModelSpec spec_;
};

class RandomPhotoModel : private RandomLayers {
 public:
  explicit RandomPhotoModel(uint64_t seed) : RandomLayers(seed) {
    spec_.components = 2 + random_.Below(SampleMixture::kMaxComponents - 1);
    const size_t efforts = 1 + random_.Below(PhotoModel::kMostEfforts);
    for (size_t r = 0; r < kRoles; ++r) {
      const Role role{static_cast<int>(r)};
      const size_t values = PhotoFeatures::Differences(role).size() + 1;
      std::vector<int32_t>& prior = spec_.roles[r].prior;
      prior.assign(values * values, 0);
      for (size_t i = 0; i < values; ++i) {
        for (size_t j = 0; j < i; ++j) {
          prior[i * values + j] = prior[j * values + i] = static_cast<int32_t>(random_.Below(20001)) - 10000;
        }
        prior[i * (values + 1)] = static_cast<int32_t>(random_.Below(400000));
      }
      for (size_t effort = 0; effort < efforts; ++effort) {
        const size_t hidden = 1 + random_.Below(40);
        spec_.roles[r].networks.push_back({Layer(PhotoFeatures::Count(role), hidden, 0, 4095),
                                           Layer(hidden, hidden, 0, 4095),
                                           Layer(hidden, 3 * spec_.components, -32767, 32767)});
      }
    }
  }

  const PhotoModelSpec& spec() const { return spec_; }

 private:
  PhotoModelSpec spec_;
};

// The models that fuzzing decodes with: four of one level, then one of two and one of three. A file's
// first byte names one; those below 128 are of one level, as in files from before there were others.
inline constexpr uint8_t kFuzzModels = 6;
inline RandomModel FuzzModel(uint8_t which) { return RandomModel(11 + which, which < 4 ? 1 : which - 2); }
inline uint8_t FuzzModelOf(uint8_t byte) { return byte < 128 ? byte % 4 : 4 + byte % 2; }
inline uint8_t FuzzByteOf(uint8_t which) { return which < 4 ? which : 128 + which - 4; }

// With a hyperprior for two seeds of three.
class RandomLatentModel : private RandomLayers {
 public:
  explicit RandomLatentModel(uint64_t seed) : RandomLayers(seed) {
    spec_.channels = 1 + random_.Below(7);
    spec_.hyper_channels = seed % 3 == 0 ? 0 : 1 + random_.Below(5);
    spec_.levels = 1 + random_.Below(3);
    spec_.components = 1 + random_.Below(3);
    if (spec_.hyper_channels > 0) {
      const size_t hidden = 1 + random_.Below(6);
      spec_.hyper = {{3, true, Layer(9 * spec_.hyper_channels, 4 * hidden, 0, 4095)},
                     {5, true, Layer(25 * hidden, 4 * hidden, 0, 4095)},
                     {1, false, Layer(hidden, 2 * spec_.channels, -32767, 32767)}};
    }
    const size_t coded = spec_.hyper_channels > 0 ? spec_.hyper_channels : spec_.channels;
    for (size_t i = 0; i < spec_.levels * coded; ++i) {
      int32_t rest = 1 << SymbolTable::kMixtureWeightBits;
      for (size_t k = 0; k < spec_.components; ++k) {
        const bool last = k + 1 == spec_.components;
        const auto weight = last ? rest : static_cast<int32_t>(random_.Below(static_cast<uint64_t>(rest) + 1));
        rest -= weight;
        spec_.prior.push_back({weight, static_cast<int32_t>(random_.Below(2048)) - 1024,
                               static_cast<int32_t>(random_.Below(2000)) - 1500});
      }
    }
  }

  const LatentCodecSpec& spec() const { return spec_; }

 private:
  LatentCodecSpec spec_;
};

}  // namespace node_vae::coder
