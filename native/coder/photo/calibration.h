#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/photo/sample_mixture.h"

namespace node_vae::coder {

// How a tile's samples really fall under their mixtures: which part of the share lay below each. Where mixtures are too wide,
// too narrow or to one side, as those of other kinds of pictures than a network was trained on, this mends them while a tile
// is coded. One curve for each plane and size of the surroundings' scale; as in the last stages of context mixing
// (Mahoney 2005, adaptive probability maps).
class Calibration {
 public:
  explicit Calibration(size_t planes);

  const ShareCurve& Of(size_t plane, const Surroundings& around) noexcept { return states_[Index(plane, around)].curve; }
  // Notes a sample between these shares of 2^kPrecision of its mixture, before the curve.
  void Note(size_t plane, const Surroundings& around, uint32_t from, uint32_t to) noexcept;

 private:
  static constexpr size_t kScales = 12;
  struct State {
    ShareCurve curve;
    std::array<uint32_t, ShareCurve::kBins> counts;
    uint32_t total;
    uint32_t rest;  // samples until the curve is made anew
    uint32_t period;
  };

  static size_t Index(size_t plane, const Surroundings& around) noexcept;
  static void Rebuild(State& state) noexcept;

  std::vector<State> states_;
};

}  // namespace node_vae::coder
