#include "coder/photo/levels.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "coder/distributions.h"
#include "coder/photo/log_table.h"
#include "core/error.h"

namespace node_vae::coder {

namespace {

constexpr int kShiftBits = 4;
constexpr int kCountBits = 16;
constexpr int kLengthBits = 5;

[[noreturn]] void Damaged() {
  throw Error(code::kFormat, "A coded tile says of its values what cannot be: it is damaged, or was made with another model.");
}

// Whether a value occurs.
class Occurrence {
 public:
  static constexpr int kBits = 16;

  explicit Occurrence(uint32_t share) noexcept : share_(share) {}
  Interval IntervalOf(uint32_t symbol) const noexcept {
    return symbol == 0 ? Interval{0, kUnit - share_} : Interval{kUnit - share_, share_};
  }
  uint32_t SymbolAt(uint32_t position) const noexcept { return position >= kUnit - share_ ? 1 : 0; }
  int precision() const noexcept { return kBits; }

 private:
  static constexpr uint32_t kUnit = 1U << kBits;
  uint32_t share_;
};

// The map of what occurs between the first value and the last. A value's share is told by how many were missing just before
// it, and how many before the last one that occurs, and how these compare: combs cost little, even or not quite.
class OccurrenceModel {
 public:
  Occurrence Next() const noexcept {
    // As Krichevsky and Trofimov 1981 have it.
    const Count& count = counts_[Index()];
    const uint64_t share = ((2 * uint64_t{count.ones} + 1) << Occurrence::kBits) / (2 * uint64_t{count.all} + 2);
    return Occurrence(static_cast<uint32_t>(std::clamp<uint64_t>(share, 1, (1U << Occurrence::kBits) - 1)));
  }
  void Note(uint32_t symbol) noexcept {
    Count& count = counts_[Index()];
    count.ones += symbol;
    ++count.all;
    if (symbol == 1) before_ = gap_;
    gap_ = symbol == 1 ? 0 : gap_ + 1;
  }

 private:
  static constexpr uint32_t kGaps = 16;
  static constexpr uint32_t kCompared = 5;
  struct Count {
    uint32_t ones = 0;
    uint32_t all = 0;
  };

  size_t Index() const noexcept {
    const uint32_t compared = gap_ + 1 < before_ ? 0 : gap_ > before_ + 1 ? 4 : gap_ + 2 - before_;
    return (std::min(gap_, kGaps - 1) * kGaps + std::min(before_, kGaps - 1)) * kCompared + compared;
  }

  Count counts_[kGaps * kGaps * kCompared];
  uint32_t gap_ = 0;
  uint32_t before_ = 0;
};

void PushMap(const ValueList& list, int bits, std::vector<CodedSymbol>& out) {
  const uint32_t last = list[list.size() - 1];
  out.push_back({{list[0], 1}, bits});
  out.push_back({{last, 1}, bits});
  OccurrenceModel model;
  size_t place = 1;
  for (uint32_t value = list[0] + 1; value < last; ++value) {
    const uint32_t occurs = list[place] == value ? 1 : 0;
    const Occurrence next = model.Next();
    out.push_back({next.IntervalOf(occurs), next.precision()});
    model.Note(occurs);
    place += occurs;
  }
}

std::vector<uint32_t> PopMap(RansStack& message, int bits) {
  const uint32_t first = PopSymbol(message, 0, Uniform{bits});
  const uint32_t last = PopSymbol(message, 0, Uniform{bits});
  if (last < first) Damaged();
  std::vector<uint32_t> values{first};
  OccurrenceModel model;
  for (uint32_t value = first + 1; value < last; ++value) {
    const uint32_t occurs = PopSymbol(message, 0, model.Next());
    model.Note(occurs);
    if (occurs == 1) values.push_back(value);
  }
  if (last > first) values.push_back(last);
  return values;
}

// A list of the first way: distances from one value to the next, their lengths first.
std::vector<uint32_t> PopList(RansStack& message, int bits) {
  const auto uniform = [&](int wide) { return PopSymbol(message, 0, Uniform{wide}); };
  std::vector<uint32_t> values;
  const uint32_t count = uniform(kCountBits) + 1;
  uint32_t next = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto length = static_cast<int>(uniform(kLengthBits));
    if (length < 1 || length > 17) Damaged();
    uint32_t distance = 1U << (length - 1);
    if (length > 1) distance |= uniform(length - 1);
    const uint32_t value = next + distance - 1;
    if (value >> bits != 0) Damaged();
    values.push_back(value);
    next = value + 1;
  }
  return values;
}

Levels LevelsOf(std::vector<ValueList> lists) {
  Levels levels;
  for (const ValueList& list : lists) levels.most.push_back(static_cast<int32_t>(list.size()) - 1);
  levels.lists = std::move(lists);
  return levels;
}

}  // namespace

ValueList::ValueList(std::vector<uint32_t> values, int bits) : values_(std::move(values)), places_(size_t{1} << bits) {
  for (size_t place = 0; place < values_.size(); ++place) places_[values_[place]] = static_cast<uint16_t>(place);
}

Levels AllLevels(size_t planes, int bits) {
  Levels levels;
  levels.most.assign(planes, (int32_t{1} << bits) - 1);
  return levels;
}

Levels ListedLevels(const std::vector<ValueCounts>& counts, int bits) {
  std::vector<ValueList> lists;
  for (const ValueCounts& plane : counts) {
    std::vector<uint32_t> values;
    for (uint32_t value = 0; value < plane.size(); ++value) {
      if (plane[value] != 0) values.push_back(value);
    }
    lists.emplace_back(std::move(values), bits);
  }
  return LevelsOf(std::move(lists));
}

int64_t MostSavedByLists(const std::vector<ValueCounts>& counts) {
  const LogTable& log = LogTable::Get();
  int64_t saved = 0;
  for (const ValueCounts& plane : counts) {
    int64_t samples = 0;
    std::vector<int64_t> values;
    for (size_t value = 0; value < plane.size(); ++value) {
      samples += plane[value];
      if (plane[value] != 0) values.push_back(static_cast<int64_t>(value));
    }
    // A smooth curve spreads what a value takes over all that lies nearer to it than to others.
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_first = i == 0;
      const bool is_last = i + 1 == values.size();
      const int64_t below = is_first ? 1 : values[i] - values[i - 1];
      const int64_t above = is_last ? 1 : values[i + 1] - values[i];
      int64_t bits = log(static_cast<uint32_t>(below + above)) - 256;
      // What was cut off there is half of what a curve expects.
      if ((is_first && values[i] > 0) || (is_last && values[i] + 1 < static_cast<int64_t>(plane.size()))) bits += 256;
      saved += plane[static_cast<size_t>(values[i])] * bits;
    }
    // And a mixture gives something to everything: 1.44 bits times 2^-kPrecision each.
    const int64_t missing = static_cast<int64_t>(plane.size() - values.size());
    saved += samples * missing * 369 >> kPrecision;
  }
  return saved;
}

void PushLevels(const Levels& levels, bool second_way, int bits, std::vector<CodedSymbol>& out) {
  const auto uniform = [&](uint32_t value, int wide) { out.push_back({{value, 1}, wide}); };
  uniform(static_cast<uint32_t>(levels.shift), kShiftBits);
  uniform(levels.lists.empty() ? 0 : 1, 1);
  if (levels.lists.empty()) return;
  if (!second_way) throw Error(code::kOption, "Lists are told in the second way only.");
  for (const ValueList& list : levels.lists) PushMap(list, bits, out);
}

Levels PopLevels(RansStack& message, bool second_way, int bits, size_t planes) {
  const auto uniform = [&](int wide) { return PopSymbol(message, 0, Uniform{wide}); };
  const auto shift = static_cast<int>(uniform(kShiftBits));
  if (shift > kMostShift) Damaged();
  Levels levels;
  if (uniform(1) == 0) {
    levels = AllLevels(planes, bits);
  } else if (second_way) {
    std::vector<ValueList> lists;
    for (size_t plane = 0; plane < planes; ++plane) lists.emplace_back(PopMap(message, bits), bits);
    levels = LevelsOf(std::move(lists));
  } else {
    levels = LevelsOf({planes, ValueList(PopList(message, bits), bits)});
  }
  levels.shift = shift;
  return levels;
}

}  // namespace node_vae::coder
