#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/rans.h"
#include "coder/symbol_table.h"

// Which values the samples of a tile have, told before them: photographs whose contrast was stretched, 12 bits in 16 and
// scans have gaps between theirs. Predictors and mixtures then work on places in a list instead of values.
namespace node_vae::coder {

// The values that a plane has, rising.
class ValueList {
 public:
  // At least one, each below 2^bits.
  ValueList(std::vector<uint32_t> values, int bits);

  size_t size() const noexcept { return values_.size(); }
  uint32_t operator[](size_t place) const noexcept { return values_[place]; }
  // Of a value that is in the list.
  uint32_t PlaceOf(uint32_t value) const noexcept { return places_[value]; }

 private:
  std::vector<uint32_t> values_;
  std::vector<uint16_t> places_;
};

// What is told of the planes that are coded together. What is coded of each is numbers from 0 to `most`.
struct Levels {
  int shift = 0;                 // differences are looked at divided by 2^shift
  std::vector<int32_t> most;     // of each plane
  std::vector<ValueList> lists;  // of each plane, what its numbers stand for; empty where they are the values

  uint32_t ValueOf(size_t plane, uint32_t number) const noexcept { return lists.empty() ? number : lists[plane][number]; }
  uint32_t NumberOf(size_t plane, uint32_t value) const noexcept {
    return lists.empty() ? value : lists[plane].PlaceOf(value);
  }
  // The largest of all; where it is 0 there is nothing to be coded.
  int32_t Most() const noexcept { return *std::max_element(most.begin(), most.end()); }
};

inline constexpr int kMostShift = 8;

// How often each value occurs in a plane: 2^bits numbers.
using ValueCounts = std::vector<uint32_t>;

// Numbers that are the values.
Levels AllLevels(size_t planes, int bits);
// Those that occur alone.
Levels ListedLevels(const std::vector<ValueCounts>& counts, int bits);
// The bits that lists may save at most, in 1/256.
int64_t MostSavedByLists(const std::vector<ValueCounts>& counts);

// Tiles tell their levels in either of two ways. In the first all planes have one list, told value by value; nothing writes
// such lists any more. In the second each plane has its own, told as a map of what occurs.
void PushLevels(const Levels& levels, bool second_way, int bits, std::vector<CodedSymbol>& out);
// Throws Error(kFormat) for what no encoder tells.
Levels PopLevels(RansStack& message, bool second_way, int bits, size_t planes);

}  // namespace node_vae::coder
