#include <algorithm>
#include <cstring>

#include "kernels/conv_plan.h"
#include "kernels/convolution.h"

namespace node_vae {
namespace {

constexpr int64_t kSlack = kMaxLanes;
// Padded images of a task should stay in the second-level cache, with the map beside them.
constexpr int64_t kChunkFloats = 80 * 1024;
// A block of the map's rows should stay in the first-level cache.
constexpr int64_t kBlockFloats = 4 * 1024;
// Parts of the batch that are summed apart, and what their sums may take together.
constexpr int64_t kParts = 16;
constexpr int64_t kSumFloats = 2 * 1024 * 1024;

}  // namespace

// Of one part of the batch.
struct ConvWeightGradient::Sums {
  float* weight;
  float* bias;
};

ConvWeightGradient::ConvWeightGradient(const ConvShape& shape, const SimdKernels& kernels)
    : shape_(shape), kernels_(kernels.narrow), sum_(kernels.sum) {
  const auto lanes = static_cast<int64_t>(kernels_.lanes);
  padded_ = PadImage(shape, offsets_);
  const Dims& size = padded_.size;
  const Dims& map = shape.map;
  const int64_t stretch = ((map[0] - 1) * size[1] + map[1] - 1) * size[2] + map[2];
  has_gaps_ = map[0] * map[1] * CeilDiv(map[2], lanes) > CeilDiv(stretch, lanes);
  if (has_gaps_) {
    vectors_ = CeilDiv(stretch, lanes);
    runs_.push_back(0);
  } else {
    vectors_ = CeilDiv(map[2], lanes);
    for (int64_t a = 0; a < map[0]; ++a) {
      for (int64_t b = 0; b < map[1]; ++b) runs_.push_back(static_cast<int32_t>((a * size[1] + b) * size[2]));
    }
  }
  chunk_ = std::clamp<int64_t>(kChunkFloats / (shape.image_channels * padded_.channel_floats()), 1, shape.batch);
}

void ConvWeightGradient::Run(const float* image, const float* map, float* weight_gradient, float* bias_gradient,
                             Parallel& parallel) const {
  const int64_t weights = shape_.weight_count();
  const int64_t each = weights + shape_.map_channels;
  const int64_t parts = std::clamp<int64_t>(std::min(kParts, kSumFloats / each), 1, shape_.batch);
  // Where the batch has few parts, each does some of the map's channels, and pads for itself.
  const auto tile_rows = static_cast<int64_t>(kernels_.rows);
  const int64_t group_channels = shape_.map_channels / shape_.groups;
  const int64_t group_blocks = CeilDiv(group_channels, tile_rows);
  const int64_t blocks = group_blocks * shape_.groups;
  const int64_t splits = std::clamp<int64_t>(CeilDiv(kParts, parts), 1, blocks);
  const auto first_row = [&](int64_t block) {
    return block / group_blocks * group_channels + block % group_blocks * tile_rows;
  };

  const Floats sums(parallel, static_cast<size_t>(parts * each));
  const int64_t block_floats = static_cast<int64_t>(runs_.size()) * vectors_ * tile_rows * static_cast<int64_t>(kernels_.lanes);
  const int64_t padded_floats = chunk_ * shape_.image_channels * padded_.channel_floats();
  FloatsPool pool(parallel, static_cast<size_t>(padded_floats + kSlack + chunk_ * block_floats));
  pool.For(static_cast<size_t>(parts * splits), [&](size_t task, float* scratch) {
    const int64_t part = static_cast<int64_t>(task) / splits;
    const int64_t split = static_cast<int64_t>(task) % splits;
    const int64_t first = part * shape_.batch / parts;
    float* own = sums.data() + part * each;
    RunTask(first, (part + 1) * shape_.batch / parts - first, first_row(split * blocks / splits),
            first_row((split + 1) * blocks / splits), image, map, {own, own + weights}, scratch);
  });
  // Added in the order of the parts, whoever did them.
  constexpr int64_t kStretch = 4096;
  const auto add = [&](float* to, int64_t from, int64_t count) {
    std::copy_n(sums.data() + from, count, to);
    for (int64_t part = 1; part < parts; ++part) {
      const float* values = sums.data() + part * each + from;
      for (int64_t i = 0; i < count; ++i) to[i] += values[i];
    }
  };
  parallel.For(static_cast<size_t>(CeilDiv(weights, kStretch)), [&](size_t task) {
    const int64_t first = static_cast<int64_t>(task) * kStretch;
    add(weight_gradient + first, first, std::min(kStretch, weights - first));
  });
  if (bias_gradient != nullptr) add(bias_gradient, weights, shape_.map_channels);
}

void ConvWeightGradient::RunTask(int64_t first_image, int64_t images, int64_t first_row, int64_t end_row,
                                 const float* image, const float* map, const Sums& sums, float* scratch) const {
  const int64_t row_weights = shape_.image_channels / shape_.groups * shape_.taps();
  std::fill(sums.weight + first_row * row_weights, sums.weight + end_row * row_weights, 0.0f);
  std::fill(sums.bias + first_row, sums.bias + end_row, 0.0f);
  const int64_t channel = padded_.channel_floats();
  float* left = scratch + chunk_ * shape_.image_channels * channel + kSlack;
  // Of the runs of all images of a chunk, from its first image on.
  std::vector<int32_t> starts;
  for (int64_t n = 0; n < chunk_; ++n) {
    for (const int32_t run : runs_) starts.push_back(run + static_cast<int32_t>(n * shape_.image_channels * channel));
  }
  for (int64_t begin = 0; begin < images; begin += chunk_) {
    const int64_t count = std::min(chunk_, images - begin);
    const int64_t first = first_image + begin;
    for (int64_t c = 0; c < count * shape_.image_channels; ++c) {
      padded_.Pack(image + (first * shape_.image_channels + c) * shape_.image_places(), scratch + c * channel);
    }
    const float* first_map = map + first * shape_.map_channels * shape_.map_places();
    for (int64_t row = first_row; row < end_row; row += BlockRows(row, end_row).real) {
      AddBlock(row, BlockRows(row, end_row), count, first_map, scratch, starts.data(), sums, left);
    }
  }
}

ConvWeightGradient::Block ConvWeightGradient::BlockRows(int64_t row, int64_t end_row) const noexcept {
  const int64_t group_rows = shape_.map_channels / shape_.groups;
  const auto tile_rows = static_cast<int64_t>(kernels_.rows);
  const int64_t real = std::min({tile_rows, end_row - row, (row / group_rows + 1) * group_rows - row});
  return {real, real > tile_rows / 2 ? tile_rows : real > 1 ? tile_rows / 2 : 1};
}

// A channel of the map as every `rows`-th vector of `to`, with zeros where it has gaps.
void ConvWeightGradient::PackRow(const float* channel, int64_t rows, float* to) const noexcept {
  const auto lanes = static_cast<int64_t>(kernels_.lanes);
  const Dims& map = shape_.map;
  const int64_t pitch = has_gaps_ ? padded_.size[2] : vectors_ * lanes;
  const int64_t plane = has_gaps_ ? padded_.size[1] * pitch : map[1] * pitch;
  for (int64_t a = 0; a < map[0]; ++a) {
    for (int64_t b = 0; b < map[1]; ++b, channel += map[2]) {
      int64_t at = a * plane + b * pitch;
      for (int64_t c = 0; c < map[2];) {
        const int64_t lane = at % lanes;
        const int64_t count = std::min(lanes - lane, map[2] - c);
        std::memcpy(to + at / lanes * rows * lanes + lane, channel + c, static_cast<size_t>(count) * sizeof(float));
        at += count;
        c += count;
      }
    }
  }
}

void ConvWeightGradient::AddBlock(int64_t row, Block block, int64_t images, const float* map, const float* padded,
                                  const int32_t* starts, const Sums& sums, float* left) const {
  const auto lanes = static_cast<int64_t>(kernels_.lanes);
  const auto runs = static_cast<int64_t>(runs_.size());
  const int64_t group_channels = shape_.image_channels / shape_.groups;
  const int64_t taps = shape_.taps();
  const int64_t columns = group_channels * taps;
  const int64_t channel = padded_.channel_floats();
  const int64_t block_floats = runs * vectors_ * block.tile * lanes;
  std::memset(left, 0, static_cast<size_t>(images * block_floats) * sizeof(float));
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t r = 0; r < block.real; ++r) {
      const float* from = map + (n * shape_.map_channels + row + r) * shape_.map_places();
      PackRow(from, block.tile, left + n * block_floats + r * lanes);
      sums.bias[row + r] += sum_(from, static_cast<size_t>(shape_.map_places()));
    }
  }
  const float* channels = padded + row / (shape_.map_channels / shape_.groups) * group_channels * channel;
  const int64_t at_once = std::max<int64_t>(1, kBlockFloats / (vectors_ * block.tile * lanes));
  float tile[kMaxTileRows * kTileVectors];
  for (int64_t run = 0; run < images * runs; run += at_once) {
    const int64_t count = std::min(at_once, images * runs - run);
    for (int64_t column = 0; column < columns; column += kTileVectors) {
      const float* right[kTileVectors];
      const int64_t wide = std::min<int64_t>(kTileVectors, columns - column);
      for (int64_t v = 0; v < static_cast<int64_t>(kTileVectors); ++v) {
        const int64_t at = column + std::min(v, wide - 1);
        right[v] = channels + at / taps * channel + offsets_[static_cast<size_t>(at % taps)];
      }
      kernels_.accumulate(static_cast<size_t>(block.tile), left + run * vectors_ * block.tile * lanes, right,
                          starts + run, static_cast<size_t>(count), static_cast<size_t>(vectors_), tile);
      for (int64_t r = 0; r < block.real; ++r) {
        float* to = sums.weight + (row + r) * columns + column;
        for (int64_t v = 0; v < wide; ++v) to[v] += tile[r * static_cast<int64_t>(kTileVectors) + v];
      }
    }
  }
}

}  // namespace node_vae
