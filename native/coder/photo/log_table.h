#pragma once

#include <bit>
#include <cstdint>

#include "coder/tables.h"

namespace node_vae::coder {

// log2(n) * 2^8 in integers, the inverse of kExp2; never decreasing.
class LogTable {
 public:
  static const LogTable& Get();

  // n >= 1.
  int32_t operator()(uint32_t n) const noexcept {
    const int octave = static_cast<int>(std::bit_width(n)) - 1;
    const uint32_t mantissa = octave >= kBits ? n >> (octave - kBits) : n << (kBits - octave);
    return octave * 256 + table_[mantissa - (1U << kBits)];
  }

  // A difference in 1 / 32 on a scale that ends slowly: sign(x) * log2(1 + |x| / 64) * 2^8, limited to `most` in size.
  // Without branches on the sign, which nobody can foresee.
  int32_t Squash(int32_t difference, int32_t most) const noexcept {
    const int32_t sign = difference >> 31;
    const auto size = static_cast<uint32_t>((difference ^ sign) - sign);
    int32_t value;
    if (size < kSquashed) [[likely]] {
      value = squashed_[size];
    } else {
      value = (*this)(size + 64) - 6 * 256;
      value = value < most ? value : most;
    }
    return (value ^ sign) - sign;
  }

 private:
  static constexpr int kBits = 11;
  LogTable() noexcept;
  uint8_t table_[1 << kBits];
  // All that differences of 8-bit samples can be.
  static constexpr uint32_t kSquashed = 8192;
  int16_t squashed_[kSquashed];
};

}  // namespace node_vae::coder
