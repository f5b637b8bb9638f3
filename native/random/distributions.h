#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace node_vae {

// Names one endless sequence of random numbers. Element i of a sequence depends on nothing but the
// draw and i, so any part of it can be made by any thread, in any order, on any machine.
struct Draw {
  uint64_t seed = 0;
  uint32_t stream = 0;
  uint64_t counter = 0;

  friend bool operator==(const Draw&, const Draw&) = default;
};

// Uniform in [0, 1), multiples of 2^-24. Writes elements first .. first+count-1 of the sequence.
void FillUniform(float* out, size_t count, const Draw& draw, size_t first = 0) noexcept;

// Standard normal by Box and Muller's transform; largest magnitude 6.66.
void FillNormal(float* out, size_t count, const Draw& draw, size_t first = 0) noexcept;

// Raw 32-bit words of the sequence.
void FillWords(uint32_t* out, size_t count, const Draw& draw, size_t first = 0) noexcept;

// A random order of 0 .. count-1 (Fisher and Yates), every order equally likely.
std::vector<uint32_t> Permutation(uint32_t count, const Draw& draw);

}  // namespace node_vae
