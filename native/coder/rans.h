#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"

// Range variant of asymmetric numeral systems (Duda 2013, arXiv:1311.2540, section 4): a stack of
// symbols. What was pushed last is popped first, and pop undoes push exactly, on any message; that
// is what lets bits-back coding pop symbols that were never pushed.
namespace node_vae::coder {

// A symbol's share of [0, 2^precision).
struct Interval {
  uint32_t start;
  uint32_t size;
};

// A message: several 64-bit heads ("lanes") over one stack of 32-bit words that they share. Lanes
// have no dependence on one another, so a processor overlaps their work.
class RansStack {
 public:
  static constexpr int kMaxPrecision = 30;
  static constexpr int kMaxLanes = 64;

  // An empty message.
  explicit RansStack(int lanes);
  // A message written by Serialize. Throws Error(kFormat) if the bytes are none.
  RansStack(int lanes, std::span<const uint8_t> bytes);

  int lanes() const noexcept { return static_cast<int>(heads_.size()); }

  // Adds a symbol. `interval.size` is in [1, 2^precision], its end at most 2^precision.
  void Push(int lane, Interval interval, int precision) {
    uint64_t head = heads_[lane];
    const uint64_t size = interval.size;
    // The head stays below 2^64 after the push when it is below size * 2^(64 - precision) before.
    if ((head >> (64 - precision)) >= size) {
      words_.push_back(static_cast<uint32_t>(head));
      head >>= 32;
    }
    heads_[lane] = ((head / size) << precision) + head % size + interval.start;
  }

  // The next symbol's position in [0, 2^precision).
  uint32_t Peek(int lane, int precision) const noexcept {
    return static_cast<uint32_t>(heads_[lane] & ((uint64_t{1} << precision) - 1));
  }

  // Removes the symbol whose interval holds Peek(). Throws Error(kFormat) when the message has no
  // bits left.
  void Pop(int lane, Interval interval, int precision) {
    const uint64_t head = heads_[lane];
    const uint64_t position = head & ((uint64_t{1} << precision) - 1);
    uint64_t next = interval.size * (head >> precision) + position - interval.start;
    if (next < kLow) {
      if (words_.empty()) Exhausted();
      next = (next << 32) | words_.back();
      words_.pop_back();
    }
    heads_[lane] = next;
  }

  // Bits held beyond an empty message's, rounded down to words.
  size_t AvailableBits() const noexcept { return words_.size() * 32; }

  // Whether nothing is left: every head as it was at the beginning.
  bool IsEmpty() const noexcept;

  // Heads, then words from the bottom of the stack to its top, all little-endian.
  std::vector<uint8_t> Serialize() const;
  size_t SerializedBytes() const noexcept { return heads_.size() * 8 + words_.size() * 4; }

  // Information in the heads, rounded up to whole bits for each.
  size_t HeadBits() const noexcept {
    size_t bits = 0;
    for (const uint64_t head : heads_) bits += static_cast<size_t>(std::bit_width(head));
    return bits;
  }

  bool operator==(const RansStack&) const = default;

 private:
  // Heads live in [2^32, 2^64).
  static constexpr uint64_t kLow = uint64_t{1} << 32;

  [[noreturn]] static void Exhausted();

  std::vector<uint64_t> heads_;
  std::vector<uint32_t> words_;
};

}  // namespace node_vae::coder
