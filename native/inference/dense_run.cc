#include <algorithm>
#include <cstring>
#include <utility>

#include "core/denormals.h"
#include "core/pause.h"
#include "core/processor.h"
#include "core/spin_team.h"
#include "inference/activations.h"
#include "inference/dense_network.h"
#include "kernels/int8_product.h"
#include "kernels/simd_kernels.h"

namespace node_vae {
namespace {

// Rows that go through a layer before the next rows do. Few of them, and the weights are read from memory again and
// again; many, and so are the values between layers: 512 to 1,024 were fastest.
constexpr size_t kChunk = 1024;
// Products in a unit: 1 to 7 µs each. Smaller ones take longer to hand out than to do.
constexpr size_t kSmallUnit = 24 * 1024;
constexpr size_t kLargeUnit = 300 * 1024;
// Values that are looked at in a unit.
constexpr size_t kChecked = 64 * 1024;
// And that are rounded.
constexpr size_t kRounded = 8 * 1024;
// Products of 8-bit integers take that much less time than others.
constexpr size_t kInt8Gain = 4;
// Values of a tile between its product and its activation.
constexpr size_t kTileValues = kMostDenseRows * kDenseStrips * kStrip;

void Activate(DenseActivation activation, float* values, size_t count) {
  switch (activation) {
    case DenseActivation::kNone:
      return;
    case DenseActivation::kRelu:
      return Relu(values, count);
    case DenseActivation::kSigmoid:
      return Sigmoid(values, count);
    case DenseActivation::kTanh:
      return Tanh(values, count);
  }
}

// More threads take longer to agree than they save.
constexpr int kMostThreads = 16;

// One team for all networks: what a second run at the same time would gain, it would take from the first. Lives as
// long as the process.
SpinTeam& Team() {
  static SpinTeam& team = *new SpinTeam(DenseThreads());
  return team;
}

// Rows that are computed together.
size_t TileRows(bool int8) { return int8 ? ChooseInt8Kernels()->rows : ChooseSimdKernels().dense_rows; }

constexpr size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

int DenseThreads() noexcept {
  static const int threads = std::clamp(AvailableThreads(), 1, kMostThreads);
  return threads;
}

DenseRun::DenseRun(DenseNetwork& network, const float* input, size_t rows, std::vector<float*> outputs,
                   bool check_finite, const ValueDomain& domain)
    : network_(network),
      input_(input),
      rows_(rows),
      outputs_(std::move(outputs)),
      check_finite_(check_finite),
      domain_(domain),
      scratch_(network.TakeScratch(rows * network.scratch_width_)),
      backward_(network.backward_.load(std::memory_order_relaxed)) {
  Plan();
}

DenseRun::~DenseRun() { network_.GiveScratch(std::move(scratch_)); }

void DenseRun::Plan() {
  const std::vector<DenseNetwork::Layer>& layers = network_.layers_;
  const bool rounds = network_.rounded_[0].scale != 0;
  const bool reads = check_finite_ || rounds;
  const size_t per_chunk = layers.size() + (reads ? 1 : 0);
  steps_ = std::make_unique<Step[]>(DivideUp(rows_, kChunk) * per_chunk);
  for (size_t first = 0; first < rows_; first += kChunk) {
    const size_t rows = std::min(kChunk, rows_ - first);
    const int start = static_cast<int>(step_count_);
    const int input = reads ? start : -1;
    if (reads) AddStep(-1, -1, first, rows, std::max<size_t>(1, (rounds ? kRounded : kChecked) / network_.inputs_), 1);
    for (size_t l = 0; l < layers.size(); ++l) {
      const DenseNetwork::Layer& layer = layers[l];
      const int from = start + (reads ? 1 : 0) + static_cast<int>(layer.from) - 1;
      const size_t tile_rows = TileRows(layer.groups > 0);
      const size_t gain = layer.groups > 0 ? kInt8Gain : 1;
      const size_t group = std::min(kDenseStrips, layer.strips);
      const size_t row_products = layer.inputs * group * kStrip;
      const size_t all = layer.inputs * layer.strips * kStrip * rows;
      const size_t share = all / (4 * static_cast<size_t>(network_.threads_));
      const size_t target = std::clamp(share, gain * kSmallUnit, gain * kLargeUnit);
      size_t unit_rows = rows;
      size_t unit_strips = group;
      if (row_products * rows <= target) {
        unit_strips = std::min(layer.strips, group * std::max<size_t>(1, target / (row_products * rows)));
      } else {
        unit_rows = std::min(rows, DivideUp(std::max<size_t>(1, target / row_products), tile_rows) * tile_rows);
      }
      AddStep(static_cast<int>(l), layer.from == 0 ? input : from, first, rows, unit_rows, unit_strips);
    }
  }
}

void DenseRun::AddStep(int layer, int after, size_t first_row, size_t rows, size_t unit_rows, size_t unit_strips) {
  Step& step = steps_[step_count_++];
  const size_t strips = layer < 0 ? 1 : network_.layers_[static_cast<size_t>(layer)].strips;
  step.units = static_cast<uint32_t>(DivideUp(rows, unit_rows) * DivideUp(strips, unit_strips));
  step.open.store(uint64_t{step.units} << 32, std::memory_order_relaxed);
  most_units_ = std::max(most_units_, step.units);
  step.after = after;
  step.layer = layer;
  step.first_row = first_row;
  step.rows = rows;
  step.unit_rows = unit_rows;
  step.unit_strips = unit_strips;
  remaining_.fetch_add(step.units, std::memory_order_relaxed);
}

bool DenseRun::Finish(int busy_threads, const std::atomic<bool>* stop) {
  const auto work = [this, stop](int part) {
    const FlushDenormals flush;
    const bool from_end = (part % 2 != 0) != backward_;
    if (part > 0) helped_.store(true, std::memory_order_relaxed);
    for (int turns = 0; remaining_.load(std::memory_order_acquire) > 0 && !stopped();) {
      if (part == 0 && stop != nullptr && stop->load(std::memory_order_relaxed)) stopped_.store(true);
      if (TryUnit(from_end)) continue;
      SpinPause();
      if (++turns % 256 == 0) std::this_thread::yield();
    }
  };
  {
    const int helpers = std::min(network_.threads_ - 1 - busy_threads, static_cast<int>(most_units_) - 1);
    SpinTeam::Turn turn(helpers > 0 ? &Team() : nullptr);
    turn.Run(helpers, work);
  }
  if (!helped_.load(std::memory_order_relaxed)) {
    network_.backward_.store(!backward_, std::memory_order_relaxed);
  }
  return finite_.load(std::memory_order_relaxed);
}

bool DenseRun::Help() noexcept {
  if (!helpable() || stopped()) return false;
  const FlushDenormals flush;
  if (!TryUnit(!backward_)) return false;
  helped_.store(true, std::memory_order_relaxed);
  return true;
}

bool DenseRun::TryUnit(bool from_end) noexcept {
  size_t s = first_open_.load(std::memory_order_relaxed);
  for (bool all_taken = true; s < step_count_; ++s) {
    Step& step = steps_[s];
    uint64_t open = step.open.load(std::memory_order_relaxed);
    const auto first = [&] { return static_cast<uint32_t>(open); };
    const auto end = [&] { return static_cast<uint32_t>(open >> 32); };
    if (first() >= end()) {
      if (all_taken) first_open_.store(s + 1, std::memory_order_relaxed);
      continue;
    }
    all_taken = false;
    if (step.after >= 0) {
      const Step& before = steps_[static_cast<size_t>(step.after)];
      if (before.done.load(std::memory_order_acquire) < before.units) continue;
    }
    while (first() < end()) {
      const uint32_t unit = from_end ? end() - 1 : first();
      const uint64_t taken = from_end ? open - (uint64_t{1} << 32) : open + 1;
      if (!step.open.compare_exchange_weak(open, taken, std::memory_order_relaxed)) continue;
      Do(step, unit);
      step.done.fetch_add(1, std::memory_order_release);
      remaining_.fetch_sub(1, std::memory_order_release);
      return true;
    }
  }
  return false;
}

void DenseRun::Do(const Step& step, uint32_t unit) noexcept {
  const size_t blocks = DivideUp(step.rows, step.unit_rows);
  const size_t block = unit % blocks * step.unit_rows;
  const size_t row = step.first_row + block;
  const size_t rows = std::min(step.unit_rows, step.rows - block);
  if (step.layer < 0) {
    if (ReadInput(row, rows)) return;
    finite_.store(false, std::memory_order_relaxed);
    stopped_.store(true, std::memory_order_relaxed);
    return;
  }
  const size_t strip = unit / blocks * step.unit_strips;
  const size_t all = network_.layers_[static_cast<size_t>(step.layer)].strips;
  Compute(step, row, rows, strip, std::min(step.unit_strips, all - strip));
}

// False where there is NaN, infinity or a value outside the domain, and that is asked for.
bool DenseRun::ReadInput(size_t row, size_t rows) noexcept {
  const size_t width = network_.inputs_;
  if (check_finite_ && !AllWithin(input_ + row * width, rows * width, domain_)) return false;
  const DenseNetwork::Rounded& rounded = network_.rounded_[0];
  if (rounded.scale == 0) return true;
  const Int8Kernels& kernels = *ChooseInt8Kernels();
  for (size_t r = row; r < row + rows; ++r) {
    kernels.round(input_ + r * width, width, rounded.scale, rounded.zero, RoundedRow(rounded, r));
  }
  return true;
}

uint8_t* DenseRun::RoundedRow(const DenseNetwork::Rounded& rounded, size_t row) const noexcept {
  return reinterpret_cast<uint8_t*>(scratch_.data() + rounded.offset * rows_) + row * rounded.stride;
}

void DenseRun::Compute(const Step& step, size_t row, size_t rows, size_t strip, size_t strips) noexcept {
  const auto index = static_cast<size_t>(step.layer);
  const DenseNetwork::Layer& layer = network_.layers_[index];
  const bool wanted = layer.output >= 0 && outputs_[static_cast<size_t>(layer.output)] != nullptr;
  if (!layer.read && network_.rounded_[index + 1].scale == 0 && !wanted) return;
  alignas(64) float tile[kTileValues];
  const size_t tile_rows = TileRows(layer.groups > 0);
  for (size_t s = strip; s < strip + strips; s += kDenseStrips) {
    const size_t tile_strips = std::min(kDenseStrips, strip + strips - s);
    for (size_t r = row; r < row + rows; r += tile_rows) {
      const size_t some = std::min(tile_rows, row + rows - r);
      Multiply(layer, r, some, s, tile_strips, tile);
      Activate(layer.activation, tile, some * tile_strips * kStrip);
      Hand(layer, r, some, s, tile_strips, tile);
    }
  }
}

void DenseRun::Multiply(const DenseNetwork::Layer& layer, size_t row, size_t rows, size_t strip, size_t strips,
                        float* tile) const noexcept {
  if (layer.groups > 0) {
    const DenseNetwork::Rounded& source = network_.rounded_[layer.from];
    Int8Product product;
    product.x = RoundedRow(source, row);
    product.x_stride = source.stride;
    product.rows = rows;
    product.groups = layer.groups;
    product.weights = layer.int8_weights.data() + strip * layer.groups * kStrip * kInt8Group;
    product.bias = layer.int8_bias.data() + strip * kStrip;
    product.scales = layer.int8_scales.data() + strip * kStrip;
    product.strips = strips;
    product.out = tile;
    product.out_stride = strips * kStrip;
    ChooseInt8Kernels()->dense(product);
    return;
  }
  DenseProduct product;
  if (layer.from == 0) {
    product.x = input_;
    product.x_stride = layer.inputs;
  } else {
    const DenseNetwork::Layer& source = network_.layers_[layer.from - 1];
    product.x = scratch_.data() + source.offset * rows_;
    product.x_stride = source.strips * kStrip;
  }
  product.x += row * product.x_stride;
  product.rows = rows;
  product.inputs = layer.inputs;
  product.weights = layer.weights.data() + strip * layer.inputs * kStrip;
  product.bias = layer.bias.data() + strip * kStrip;
  product.strips = strips;
  product.out = tile;
  product.out_stride = strips * kStrip;
  ChooseSimdKernels().dense(product);
}

// Gives a tile to those who read it: other layers, the caller.
void DenseRun::Hand(const DenseNetwork::Layer& layer, size_t row, size_t rows, size_t strip, size_t strips,
                    const float* tile) noexcept {
  const auto index = static_cast<size_t>(&layer - network_.layers_.data());
  const DenseNetwork::Rounded& rounded = network_.rounded_[index + 1];
  float* const given = layer.output < 0 ? nullptr : outputs_[static_cast<size_t>(layer.output)];
  const size_t width = strips * kStrip;
  const size_t column = strip * kStrip;
  const size_t columns = std::min(width, layer.outputs - column);
  for (size_t r = row; r < row + rows; ++r, tile += width) {
    if (layer.read) {
      const size_t stride = layer.strips * kStrip;
      std::memcpy(scratch_.data() + layer.offset * rows_ + r * stride + column, tile, width * sizeof(float));
    }
    if (rounded.scale != 0) {
      ChooseInt8Kernels()->round(tile, columns, rounded.scale, rounded.zero, RoundedRow(rounded, r) + column);
    }
    if (given != nullptr) std::memcpy(given + r * layer.outputs + column, tile, columns * sizeof(float));
  }
}

}  // namespace node_vae
