#include "coder/photo/photo_features.h"

#include <algorithm>
#include <cstdlib>

namespace node_vae::coder {

namespace {

constexpr Place kHere{0, 0};
constexpr Place kWest{0, -1};
constexpr Place kNorth{1, 0};
constexpr Place kNorthWest{1, -1};
constexpr Place kNorthEast{1, 1};

// Of the plane itself, besides the left neighbour.
constexpr Place kPredicting[] = {kNorth, kNorthWest, kNorthEast, {0, -2}, {2, 0}, {2, 1}, {2, -1}, {1, -2}, {1, 2}, {0, -3}, {3, 0}};
constexpr Place kSeen[] = {kWest,   kNorth,  kNorthWest, kNorthEast, {0, -2}, {2, 0},  {2, 1},
                           {2, -1}, {1, -2}, {1, 2},     {0, -3},    {3, 0},  {2, -2}, {2, 2}};
constexpr Place kNear[] = {kWest, kNorth, kNorthWest, kNorthEast, {0, -2}, {2, 0}};
constexpr Place kWide[] = {{0, -3}, {0, -4}, {1, -2}, {1, -3}, {1, 2}, {2, -2}, {2, -1}, {2, 1}, {2, 2}, {3, -1}, {3, 0}, {3, 1}};
constexpr Place kOther[] = {kWest, kNorth, kNorthWest, kNorthEast};

size_t Planes(Role role) { return role == Role::kGrey ? 1 : 3; }

}  // namespace

std::vector<Difference> PhotoFeatures::Differences(Role role) {
  const size_t own = Plane(role);
  std::vector<Difference> list;
  for (const Place place : kPredicting) list.push_back({own, place, own, kWest});
  for (size_t plane = 0; plane < Planes(role); ++plane) {
    if (plane == own) continue;
    if (plane < own) list.push_back({plane, kHere, plane, kWest});
    for (const Place place : {kNorth, kNorthWest, kNorthEast}) list.push_back({plane, place, plane, kWest});
  }
  return list;
}

PhotoFeatures::PhotoFeatures(Role role, const TilePlanes& planes) : log_(&LogTable::Get()) {
  const size_t own = Plane(role);
  const auto value = [&](size_t plane, Place place) { return planes.Distance(plane, false, place); };
  const auto error = [&](size_t plane, Place place) { return planes.Distance(plane, true, place); };
  for (const Place place : kSeen) own_.push_back(value(own, place));
  for (size_t i = 0; i < std::size(kNear); ++i) {
    near_[i] = error(own, kNear[i]);
    errors_.push_back(near_[i]);
  }
  for (const Place place : kWide) wide_.push_back(error(own, place));
  for (size_t plane = 0; plane < Planes(role); ++plane) {
    if (plane == own) continue;
    if (plane < own) {
      errors_.push_back(error(plane, kHere));
      other_.push_back(error(plane, kHere));
      for (const Place place : kOther) pairs_.push_back({value(plane, place), value(plane, kHere)});
    }
    for (const Place place : {kWest, kNorth, kNorthEast}) errors_.push_back(error(plane, place));
  }
  west_ = value(own, kWest);
  north_ = value(own, kNorth);
  north_west_ = value(own, kNorthWest);
}

size_t PhotoFeatures::Count(Role role) {
  const size_t own = Plane(role);
  const size_t earlier = own;
  const size_t others = Planes(role) - 1;
  return std::size(kSeen) + std::size(kNear) + earlier * (1 + std::size(kOther)) + others * 3 + 5;
}

Surroundings PhotoFeatures::Fill(const int32_t* at, int32_t prediction, int32_t most, int shift,
                                 int16_t* into) const noexcept {
  const LogTable& log = *log_;
  Surroundings around;
  around.prediction = std::clamp(prediction, 0, most);
  const int32_t west = at[west_];
  const int32_t north = at[north_];
  const int32_t corner = at[north_west_];
  around.alternative = corner >= std::max(west, north)   ? std::min(west, north)
                       : corner <= std::min(west, north) ? std::max(west, north)
                                                         : west + north - corner;
  const auto squash = [&](int32_t difference) {
    return static_cast<int16_t>(log.Squash(difference >> shift, kMostFeature));
  };
  for (const ptrdiff_t one : own_) *into++ = squash(at[one] - around.prediction);
  for (const ptrdiff_t one : errors_) *into++ = squash(at[one]);
  for (const Pair& one : pairs_) *into++ = squash(at[one.from] - at[one.base]);
  *into++ = squash(around.alternative - around.prediction);
  *into++ = squash(around.prediction - prediction);
  // Sums of up to 20 errors below 2^24 each.
  int32_t near = 2 * (std::abs(at[near_[0]]) + std::abs(at[near_[1]]));
  for (size_t i = 2; i < std::size(near_); ++i) near += std::abs(at[near_[i]]);
  int32_t wide = 0;
  for (const ptrdiff_t one : wide_) wide += std::abs(at[one]);
  int32_t other = 0;
  for (const ptrdiff_t one : other_) other += std::abs(at[one]);
  // Mostly what is near, with some of the rest, so that it is not 0 by chance.
  around.scale = ((4 * near + wide) / 44 >> shift) + 4;
  const auto logarithm = [&](int32_t sum) {
    return static_cast<int16_t>(std::min(log(static_cast<uint32_t>(sum >> shift) + 16), kMostFeature));
  };
  *into++ = static_cast<int16_t>(std::min(log(static_cast<uint32_t>(around.scale)), kMostFeature));
  *into++ = logarithm(wide);
  *into++ = logarithm(other);
  around.scale <<= shift;
  return around;
}

}  // namespace node_vae::coder
