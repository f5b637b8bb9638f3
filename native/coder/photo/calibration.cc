#include "coder/photo/calibration.h"

#include <algorithm>
#include <bit>

namespace node_vae::coder {

namespace {

// What one sample counts, and what each bin is given to begin with, in samples.
constexpr uint32_t kSample = 1 << 12;
constexpr uint32_t kStart = 12 * kSample;
// Where all bins together hold more than so many samples, everything counts half from then on.
constexpr uint32_t kMostTotal = 5000 * kSample;
// Samples between two curves: few at first.
constexpr uint32_t kFirstPeriod = 16;
constexpr uint32_t kLastPeriod = 256;

}  // namespace

Calibration::Calibration(size_t planes) : states_(planes * kScales) {
  for (State& state : states_) {
    state.counts.fill(kStart);
    state.total = kStart * ShareCurve::kBins;
    state.period = kFirstPeriod;
    state.rest = kFirstPeriod;
    Rebuild(state);
  }
}

size_t Calibration::Index(size_t plane, const Surroundings& around) noexcept {
  const int octave = static_cast<int>(std::bit_width(static_cast<uint32_t>(around.scale)));
  return plane * kScales + static_cast<size_t>(std::clamp(octave - 2, 0, static_cast<int>(kScales) - 1));
}

void Calibration::Note(size_t plane, const Surroundings& around, uint32_t from, uint32_t to) noexcept {
  State& state = states_[Index(plane, around)];
  to = std::max(to, from + 1);
  const size_t first = from >> ShareCurve::kBinBits;
  const size_t last = (to - 1) >> ShareCurve::kBinBits;
  if (first == last) {
    state.counts[first] += kSample;
    state.total += kSample;
  } else {
    // Nobody knows where in its interval a sample lay: each bin gets what the curve says.
    const uint32_t low = state.curve(from);
    const uint32_t all = std::max<uint32_t>(state.curve(to) - low, 1);
    uint32_t below = low;
    for (size_t bin = first; bin <= last; ++bin) {
      const uint32_t above = bin == last ? low + all : std::min(state.curve.edge[bin + 1], low + all);
      const auto part = static_cast<uint32_t>((uint64_t{above - below} * kSample) / all);
      state.counts[bin] += part;
      state.total += part;
      below = above;
    }
  }
  if (--state.rest != 0) return;
  state.period = std::min(state.period + state.period / 4, kLastPeriod);
  state.rest = state.period;
  if (state.total > kMostTotal) {
    state.total = 0;
    for (uint32_t& count : state.counts) state.total += count -= count / 2;
  }
  Rebuild(state);
}

void Calibration::Rebuild(State& state) noexcept {
  uint64_t sum = 0;
  for (size_t bin = 0; bin < ShareCurve::kBins; ++bin) {
    state.curve.edge[bin] = static_cast<uint32_t>((sum << kPrecision) / state.total);
    sum += state.counts[bin];
  }
  state.curve.edge[ShareCurve::kBins] = 1U << kPrecision;
}

}  // namespace node_vae::coder
