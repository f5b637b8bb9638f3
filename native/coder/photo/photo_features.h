#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/photo/block_predictor.h"
#include "coder/photo/log_table.h"
#include "coder/photo/tile_planes.h"

// What the network of a sample sees. Part of the format: models are trained for it.
namespace node_vae::coder {

// Which plane of which kind of tile: grey stands alone; green, red and blue follow each other.
enum class Role { kGrey, kGreen, kRed, kBlue };
inline constexpr size_t kRoles = 4;

// What is around a sample, ready for its network and its mixture.
struct Surroundings {
  int32_t prediction;   // limited to what samples can be, in 1 / kOne
  int32_t alternative;  // the median-edge prediction (Weinberger, Seroussi, Sapiro 2000), in 1 / kOne
  int32_t scale;        // how far predictions near it were off, in 1 / kOne; at least 1
};

// The features of one role in one tile.
class PhotoFeatures {
 public:
  PhotoFeatures(Role role, const TilePlanes& planes);

  static size_t Count(Role role);
  static std::vector<Difference> Differences(Role role);
  // Of the role within its tile.
  static size_t Plane(Role role) noexcept { return role == Role::kGrey ? 0 : static_cast<size_t>(role) - 1; }

  // `prediction` is the block predictor's. Writes Count() features of magnitude at most kMostFeature.
  // `shift`: differences are looked at divided by 2^shift.
  Surroundings Fill(const int32_t* at, int32_t prediction, int32_t most, int shift, int16_t* into) const noexcept;

  static constexpr int32_t kMostFeature = 4095;

 private:
  struct Pair {
    ptrdiff_t from;
    ptrdiff_t base;
  };

  const LogTable* log_;
  std::vector<ptrdiff_t> own_;     // values, less the prediction
  std::vector<ptrdiff_t> errors_;  // errors as they are
  std::vector<Pair> pairs_;        // values of other planes, less that at the same place
  ptrdiff_t near_[6];              // errors that make the scale
  std::vector<ptrdiff_t> wide_;    // errors further away
  std::vector<ptrdiff_t> other_;   // errors of planes known at the same place
  ptrdiff_t west_;
  ptrdiff_t north_;
  ptrdiff_t north_west_;
};

}  // namespace node_vae::coder
