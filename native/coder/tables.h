#pragma once

#include <cstdint>

// The functions that shape the coder's distributions, tabulated as integers, because the C
// library's exp and erf give different bits on different machines.
namespace node_vae::coder {

// sigmoid((i - 512) / 32) * 2^24.
extern const int32_t kSigmoid[1025];
// Standard normal cumulative distribution at (i - 512) / 64, * 2^24.
extern const int32_t kNormalCdf[1025];
// 2^(i / 256) * 2^15.
extern const uint16_t kExp2[256];
// Standard normal quantile of 1/2 + i / 4096, * 2^12.
extern const int32_t kNormalQuantile[2048];

inline constexpr int kUnitBits = 24;
inline constexpr int32_t kUnit = 1 << kUnitBits;

// sigmoid(t / 4096) * 2^24, never decreasing in t.
inline int32_t Sigmoid(int64_t t) noexcept {
  t += int64_t{16} << 12;
  if (t < 0) return 0;
  if (t >= int64_t{32} << 12) return kUnit;
  const auto index = static_cast<uint32_t>(t) >> 7;
  const auto fraction = static_cast<int32_t>(t & 127);
  const int32_t low = kSigmoid[index];
  return low + (((kSigmoid[index + 1] - low) * fraction) >> 7);
}

// Standard normal cumulative distribution at t / 4096, * 2^24, never decreasing in t.
inline int32_t NormalCdf(int64_t t) noexcept {
  t += int64_t{8} << 12;
  if (t < 0) return 0;
  if (t >= int64_t{16} << 12) return kUnit;
  const auto index = static_cast<uint32_t>(t) >> 6;
  const auto fraction = static_cast<int32_t>(t & 63);
  const int32_t low = kNormalCdf[index];
  return low + (((kNormalCdf[index + 1] - low) * fraction) >> 6);
}

// x * 2^(exponent / 256), rounded towards minus infinity. |x| < 2^31; the exponent is limited to
// [-12, 12) octaves, so that nothing overflows.
inline int64_t ScaleExp2(int64_t x, int32_t exponent) noexcept {
  constexpr int32_t kLimit = 12 * 256;
  if (exponent < -kLimit) exponent = -kLimit;
  if (exponent >= kLimit) exponent = kLimit - 1;
  const int32_t octave = exponent >> 8;
  return (x * kExp2[exponent & 255]) >> (15 - octave);
}

// Standard normal quantile of index / 4096, * 2^12, for index in (0, 4096).
inline int32_t NormalQuantile(int32_t index) noexcept {
  return index >= 2048 ? kNormalQuantile[index - 2048] : -kNormalQuantile[2048 - index];
}

}  // namespace node_vae::coder
