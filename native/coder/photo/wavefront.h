#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "coder/photo/block_predictor.h"
#include "coder/photo/photo_features.h"
#include "coder/photo/tile_planes.h"

namespace node_vae::coder {

// One sample that is worked on in a step.
struct Front {
  size_t x;
  size_t y;
  int32_t* at;
  Surroundings around;
};

// Goes through the planes of a tile that are coded together (one, or green, red and blue) along wavefronts: in each step at
// most one sample of every row, rows being a few samples behind the one above, and as far behind as needed where a band of
// blocks learns from the one above.
class Wavefront {
 public:
  static constexpr size_t kLag = 3;
  static constexpr size_t kBandLag = 2 * BlockPredictor::kBlockWidth;
  // Samples whose networks run together.
  static constexpr size_t kMostRows = 128;

  // `priors` of the planes' roles; `most` is the largest sample.
  Wavefront(size_t width, size_t height, size_t planes, int32_t most, int shift,
            const std::vector<const std::vector<int32_t>*>& priors)
      : width_(width), height_(height), most_(most), shift_(shift), planes_(width, height, planes, BitsOf(most)) {
    for (size_t plane = 0; plane < planes; ++plane) {
      const Role role = planes == 1 ? Role::kGrey : Role{static_cast<int>(plane) + 1};
      roles_.push_back(role);
      predictors_.emplace_back(BlockPredictorSpec{plane, PhotoFeatures::Differences(role), *priors[plane]}, planes_, width);
      features_.emplace_back(role, planes_);
    }
    size_t offset = 0;
    for (size_t y = 0; y < height; ++y) {
      if (y > 0) offset += y % BlockPredictor::kBlockHeight == 0 ? kBandLag : kLag;
      offsets_.push_back(offset);
    }
  }

  size_t plane_count() const noexcept { return roles_.size(); }
  Role role(size_t plane) const noexcept { return roles_[plane]; }
  const BlockPredictor& predictor(size_t plane) const noexcept { return predictors_[plane]; }

  // Calls code(plane, fronts, features) for some samples of a plane, `features` being rows of `stride[plane]`; it returns
  // through value(i) -> the sample of fronts[i]. After a block of a plane was learned calls learned(plane).
  // `code` fills `values` with the samples.
  template <typename Code, typename Learned, typename Stop>
  void Run(const std::vector<size_t>& strides, const Code& code, const Learned& learned, const Stop& stop) {
    std::vector<Front> fronts(kMostRows);
    std::vector<int32_t> values(kMostRows);
    std::vector<int16_t> features;
    const size_t steps = offsets_.back() + width_;
    size_t first = 0;
    size_t last = 0;
    for (size_t step = 0; step < steps; ++step) {
      if (step % 64 == 0) stop();
      while (last < height_ && offsets_[last] <= step) ++last;
      while (offsets_[first] + width_ <= step) ++first;
      // From the top: what a row above notes in this step is out of reach of the rows below it.
      for (size_t top = first; top < last; top += kMostRows) {
        const size_t count = std::min(kMostRows, last - top);
        for (size_t i = 0; i < count; ++i) {
          fronts[i].y = top + i;
          fronts[i].x = step - offsets_[top + i];
          fronts[i].at = planes_.At(fronts[i].x, fronts[i].y);
        }
        for (size_t plane = 0; plane < roles_.size(); ++plane) {
          const size_t stride = strides[plane];
          features.assign(count * stride, 0);
          for (size_t i = 0; i < count; ++i) {
            Front& front = fronts[i];
            const size_t bx = front.x / BlockPredictor::kBlockWidth;
            if (front.y % BlockPredictor::kBlockHeight == 0 && front.x % BlockPredictor::kBlockWidth == 0) {
              predictors_[plane].Begin(bx);
            }
            const int32_t prediction = predictors_[plane].Predict(front.at, bx);
            front.around = features_[plane].Fill(front.at, prediction, most_ << kFractionBits, shift_,
                                                 features.data() + i * stride);
          }
          code(plane, fronts.data(), count, features.data(), values.data());
          for (size_t i = 0; i < count; ++i) {
            const int32_t value = values[i] << kFractionBits;
            planes_.Set(plane, fronts[i].x, fronts[i].y, value, value - fronts[i].around.prediction);
          }
        }
        for (size_t i = 0; i < count; ++i) Learn(fronts[i], learned);
      }
    }
  }

 private:
  static int BitsOf(int32_t most) {
    int bits = 1;
    while ((int32_t{1} << bits) <= most) ++bits;
    return bits;
  }

  template <typename Learned>
  void Learn(const Front& front, const Learned& learned) {
    constexpr size_t kWidth = BlockPredictor::kBlockWidth;
    constexpr size_t kHeight = BlockPredictor::kBlockHeight;
    if (front.y % kHeight != kHeight - 1 || front.y + 1 == height_) return;
    if (front.x % kWidth != kWidth - 1 && front.x + 1 != width_) return;
    const size_t bx = front.x / kWidth;
    const size_t left = bx * kWidth;
    const int32_t* at = planes_.At(left, front.y + 1 - kHeight);
    for (size_t plane = 0; plane < roles_.size(); ++plane) {
      predictors_[plane].Learn(at, bx, front.x + 1 - left, planes_.At(0, 1) - planes_.At(0, 0));
      learned(plane);
    }
  }

  size_t width_;
  size_t height_;
  int32_t most_;
  int shift_;
  TilePlanes planes_;
  std::vector<Role> roles_;
  std::vector<BlockPredictor> predictors_;
  std::vector<PhotoFeatures> features_;
  std::vector<size_t> offsets_;
};

}  // namespace node_vae::coder
