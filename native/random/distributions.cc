#include "random/distributions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/clones.h"
#include "random/philox.h"

namespace node_vae {
namespace {

// Sequences are made in groups of this many elements, so that the loops below vectorise.
constexpr size_t kGroup = 64;
constexpr size_t kBlocks = kGroup / 4;

// Words of group `group`: word j of block b is element 4*b + j. Philox of all blocks at a time, written
// out so that compilers make vector code of the loop over blocks (random/philox.h is the same, readable).
NODE_VAE_CLONES void GroupWords(uint32_t* NODE_VAE_RESTRICT out, const Draw& draw, uint64_t group) {
  const auto counter_low = static_cast<uint32_t>(draw.counter);
  const auto counter_high = static_cast<uint32_t>(draw.counter >> 32);
  const auto seed_low = static_cast<uint32_t>(draw.seed);
  const auto seed_high = static_cast<uint32_t>(draw.seed >> 32);
  const auto stream = draw.stream;
  const auto first_block = static_cast<uint32_t>(group * kBlocks);
  uint32_t words[4][kBlocks];
  for (size_t b = 0; b < kBlocks; ++b) {
    uint32_t c0 = first_block + static_cast<uint32_t>(b);
    uint32_t c1 = stream;
    uint32_t c2 = counter_low;
    uint32_t c3 = counter_high;
    uint32_t key0 = seed_low;
    uint32_t key1 = seed_high;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 10
#endif
    for (int round = 0; round < 10; ++round) {
      const uint32_t low0 = kPhiloxMultiplier0 * c0;
      const uint32_t low1 = kPhiloxMultiplier1 * c2;
      const auto high0 = static_cast<uint32_t>((uint64_t{kPhiloxMultiplier0} * c0) >> 32);
      const auto high1 = static_cast<uint32_t>((uint64_t{kPhiloxMultiplier1} * c2) >> 32);
      c0 = high1 ^ c1 ^ key0;
      c1 = low1;
      c2 = high0 ^ c3 ^ key1;
      c3 = low0;
      key0 += kPhiloxWeyl0;
      key1 += kPhiloxWeyl1;
    }
    words[0][b] = c0;
    words[1][b] = c1;
    words[2][b] = c2;
    words[3][b] = c3;
  }
  for (size_t b = 0; b < kBlocks; ++b) {
    for (size_t j = 0; j < 4; ++j) out[4 * b + j] = words[j][b];
  }
}

inline float UniformFromWord(uint32_t word) noexcept {
  return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24f;
}

// Natural logarithm of (word + 1/2) / 2^32, and the sine and cosine of 2*pi*word/2^32, by the
// single-precision polynomials of Moshier's Cephes library (logf.c, sinf.c). The C library's
// functions differ in the last bit from system to system; these use only single operations that
// IEEE 754 rounds alike everywhere.
inline float LogOfWord(uint32_t word) noexcept {
  const double unit = (static_cast<double>(word) + 0.5) * 0x1p-32;
  const auto value = static_cast<float>(unit);
  // value = mantissa * 2^exponent with mantissa in [sqrt(1/2), sqrt(2)).
  const int32_t bits = std::bit_cast<int32_t>(value);
  const int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float mantissa = std::bit_cast<float>(bits - exponent * (1 << 23));
  const float x = mantissa - 1.0f;
  const float z = x * x;
  float y = 7.0376836292e-2f;
  y = y * x - 1.1514610310e-1f;
  y = y * x + 1.1676998740e-1f;
  y = y * x - 1.2420140846e-1f;
  y = y * x + 1.4249322787e-1f;
  y = y * x - 1.6668057665e-1f;
  y = y * x + 2.0000714765e-1f;
  y = y * x - 2.4999993993e-1f;
  y = y * x + 3.3333331174e-1f;
  y = y * x * z;
  const auto e = static_cast<float>(exponent);
  y = y - 2.12194440e-4f * e;
  y = y - 0.5f * z;
  return (x + y) + 0.693359375f * e;
}

struct SineCosine {
  float sine;
  float cosine;
};

inline SineCosine SineCosineOfWord(uint32_t word) noexcept {
  // The nearest quarter turn, and the rest of the angle in [-pi/4, pi/4].
  const uint32_t quarter = (word + 0x20000000u) >> 30;
  const auto rest = static_cast<int32_t>(word - (quarter << 30));
  const float x = static_cast<float>(rest) * static_cast<float>(6.283185307179586 * 0x1p-32);
  const float z = x * x;
  float s = -1.9515295891e-4f;
  s = s * z + 8.3321608736e-3f;
  s = s * z - 1.6666654611e-1f;
  s = s * z * x + x;
  float c = 2.443315711809948e-5f;
  c = c * z - 1.388731625493765e-3f;
  c = c * z + 4.166664568298827e-2f;
  c = c * z * z - 0.5f * z + 1.0f;
  const bool swap = (quarter & 1u) != 0;
  const float sine = swap ? c : s;
  const float cosine = swap ? s : c;
  return {(quarter & 2u) != 0 ? -sine : sine, ((quarter + 1u) & 2u) != 0 ? -cosine : cosine};
}

NODE_VAE_CLONES void GroupUniform(float* NODE_VAE_RESTRICT out, const uint32_t* NODE_VAE_RESTRICT words) {
  for (size_t i = 0; i < kGroup; ++i) out[i] = UniformFromWord(words[i]);
}

// Box and Muller 1958: words 2k and 2k+1 give elements 2k and 2k+1.
NODE_VAE_CLONES void GroupNormal(float* NODE_VAE_RESTRICT out, const uint32_t* NODE_VAE_RESTRICT words) {
  for (size_t k = 0; k < kGroup / 2; ++k) {
    const float radius = std::sqrt(-2.0f * LogOfWord(words[2 * k]));
    const SineCosine angle = SineCosineOfWord(words[2 * k + 1]);
    out[2 * k] = radius * angle.cosine;
    out[2 * k + 1] = radius * angle.sine;
  }
}

// Calls make(group_words, destination) for every group that overlaps [first, first + count).
template <typename T, typename Make>
void FillByGroups(T* out, size_t count, const Draw& draw, size_t first, const Make& make) noexcept {
  uint32_t words[kGroup];
  T partial[kGroup];
  size_t done = 0;
  while (done < count) {
    const size_t at = first + done;
    const size_t offset = at % kGroup;
    const size_t take = std::min(kGroup - offset, count - done);
    GroupWords(words, draw, at / kGroup);
    if (take == kGroup) {
      make(out + done, words);
    } else {
      make(partial, words);
      std::copy_n(partial + offset, take, out + done);
    }
    done += take;
  }
}

}  // namespace

void FillUniform(float* out, size_t count, const Draw& draw, size_t first) noexcept {
  FillByGroups(out, count, draw, first, [](float* to, const uint32_t* words) { GroupUniform(to, words); });
}

void FillNormal(float* out, size_t count, const Draw& draw, size_t first) noexcept {
  FillByGroups(out, count, draw, first, [](float* to, const uint32_t* words) { GroupNormal(to, words); });
}

void FillWords(uint32_t* out, size_t count, const Draw& draw, size_t first) noexcept {
  FillByGroups(out, count, draw, first,
               [](uint32_t* to, const uint32_t* words) { std::copy_n(words, kGroup, to); });
}

std::vector<uint32_t> Permutation(uint32_t count, const Draw& draw) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  uint32_t words[kGroup];
  uint64_t used = 0;
  const auto next = [&]() noexcept {
    if (used % kGroup == 0) GroupWords(words, draw, used / kGroup);
    return words[used++ % kGroup];
  };
  for (uint32_t left = count; left > 1; --left) {
    // Lemire 2019, "Fast Random Integer Generation in an Interval": unbiased by rejection.
    uint64_t product = uint64_t{next()} * left;
    if (static_cast<uint32_t>(product) < left) {
      const uint32_t threshold = (0u - left) % left;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * left;
    }
    std::swap(order[left - 1], order[static_cast<uint32_t>(product >> 32)]);
  }
  return order;
}

}  // namespace node_vae
