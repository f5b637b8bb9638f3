#include "coder/symbol_table.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string>

#include "core/error.h"

namespace node_vae::coder {

namespace {

// Values whose tail holds less than this share of 2^24 are left to the escape.
constexpr int32_t kTail = 64;

// Bits of the number of bits of an escaped distance.
constexpr int kLengthBits = 5;

}  // namespace

// `cumulative(edge)` is the share, of 2^24, below edge / 2; edges are odd.
template <typename Cumulative>
SymbolTable SymbolTable::From(const Cumulative& cumulative) {
  int32_t low = -kMostOwn;
  int32_t high = kMostOwn;
  while (low < high && cumulative(2 * low + 1) < kTail) ++low;
  while (high > low && kUnit - cumulative(2 * high - 1) < kTail) --high;
  SymbolTable table;
  table.low_ = low;
  const auto count = static_cast<uint32_t>(high - low + 2);  // with the escape
  const int32_t below = cumulative(2 * low - 1);
  const uint64_t room = kUnit - count;
  table.cumulative_.reserve(count + 1);
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t mass = cumulative(2 * (low + static_cast<int32_t>(i)) - 1) - below;
    table.cumulative_.push_back(i + static_cast<uint32_t>((static_cast<uint64_t>(mass) * room) >> kUnitBits));
  }
  table.cumulative_.push_back(kUnit);
  return table;
}

SymbolTable SymbolTable::Logistic(int scale_index) {
  const int32_t exponent = (32 - scale_index) * 32;
  // Halves to 1/4096: * 2^11.
  return From([exponent](int32_t edge) { return Sigmoid(ScaleExp2(int64_t{edge} << 11, exponent)); });
}

SymbolTable SymbolTable::Mixture(std::span<const Component> components) {
  int64_t weights = 0;
  for (const Component& component : components) {
    if (component.weight < 0 || component.weight > 1 << kMixtureWeightBits || std::abs(component.mean) > 1 << 20 ||
        std::abs(component.log2_inverse_scale) > kMostMixtureScale) {
      throw Error(code::kFormat, "The codec model is damaged: a prior's component is out of range.");
    }
    weights += component.weight;
  }
  if (weights != 1 << kMixtureWeightBits) {
    throw Error(code::kFormat, "The codec model is damaged: a prior's weights do not sum to one.");
  }
  return From([components](int32_t edge) {
    int64_t mass = 0;
    for (const Component& component : components) {
      const int64_t distance = (int64_t{edge} * 32 - component.mean) * 64;
      mass += int64_t{component.weight} * Sigmoid(ScaleExp2(distance, component.log2_inverse_scale));
    }
    return static_cast<int32_t>(mass >> kMixtureWeightBits);
  });
}

void SymbolTable::Append(int32_t value, std::vector<CodedSymbol>& out) const {
  const bool own = value >= low() && value <= high();
  const uint32_t index = own ? static_cast<uint32_t>(value - low_) : static_cast<uint32_t>(cumulative_.size() - 2);
  out.push_back({{cumulative_[index], cumulative_[index + 1] - cumulative_[index]}, kPrecision});
  if (own) return;
  // The side, then the distance from 1 on as the Elias gamma code has it: its length, then its bits
  // below the highest (Elias 1975).
  const bool above = value > high();
  const auto distance = static_cast<uint32_t>(above ? value - high() : low() - value);
  const int length = std::bit_width(distance);
  out.push_back({{above ? 1u : 0u, 1}, 1});
  out.push_back({{static_cast<uint32_t>(length), 1}, kLengthBits});
  if (length > 1) out.push_back({{distance & ((1u << (length - 1)) - 1), 1}, length - 1});
}

int32_t SymbolTable::Pop(RansStack& message) const {
  const Categorical table(cumulative_);
  const uint32_t index = PopSymbol(message, 0, table);
  if (index + 2 < cumulative_.size()) return low_ + static_cast<int32_t>(index);
  const bool above = PopSymbol(message, 0, Uniform{1}) == 1;
  const auto length = static_cast<int>(PopSymbol(message, 0, Uniform{kLengthBits}));
  if (length < 1 || length > 17) throw Error(code::kFormat, "A coded picture holds an impossible value: it is damaged.");
  uint32_t distance = 1u << (length - 1);
  if (length > 1) distance |= PopSymbol(message, 0, Uniform{length - 1});
  const int64_t value = above ? int64_t{high()} + distance : int64_t{low()} - distance;
  if (std::abs(value) > kMostValue) {
    throw Error(code::kFormat, "A coded picture holds an impossible value: it is damaged.");
  }
  return static_cast<int32_t>(value);
}

}  // namespace node_vae::coder
