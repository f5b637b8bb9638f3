#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "coder/item_model.h"

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

class RandomModel {
 public:
  explicit RandomModel(uint64_t seed) : random_(seed) {
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
  }

  const ItemModelSpec& spec() const { return spec_; }

 private:
  struct Arrays {
    std::vector<int16_t> weights;
    std::vector<int32_t> bias;
    std::vector<uint8_t> shift;
  };

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
  ItemModelSpec spec_;
  std::vector<std::unique_ptr<Arrays>> arrays_;
};

}  // namespace node_vae::coder
