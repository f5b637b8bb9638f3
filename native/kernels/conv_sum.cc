#include <algorithm>

#include "kernels/conv_plan.h"
#include "kernels/convolution.h"

namespace node_vae {
namespace {

// Read past the end of what was padded by the last vector.
constexpr int64_t kSlack = kMaxLanes;
// Vectors that a task should have to fill its tiles, and tasks that there should be.
constexpr int64_t kVectorsInTask = 24;
constexpr int64_t kTasks = 16;
// Narrow vectors are taken where they take no more than this share of the wide ones' lanes.
constexpr int64_t kNarrowPercent = 94;

}  // namespace

ConvSum::ConvSum(const ConvShape& shape, Result result, const SimdKernels& kernels)
    : shape_(shape), result_(result), kernels_(&kernels.wide) {
  const bool to_map = result == Result::kMap;
  in_channels_ = (to_map ? shape.image_channels : shape.map_channels) / shape.groups;
  out_channels_ = (to_map ? shape.map_channels : shape.image_channels) / shape.groups;
  out_places_ = to_map ? shape.map_places() : shape.image_places();
  out_stride_ = to_map ? 1 : shape.stride[2];
  Plan();
  if (const int64_t wide = LanesInUse(); kernels.narrow.lanes < kernels.wide.lanes) {
    kernels_ = &kernels.narrow;
    Plan();
    if (LanesInUse() > wide * kNarrowPercent / 100) {
      kernels_ = &kernels.wide;
      Plan();
    }
  }
  blocks_ = CeilDiv(out_channels_, static_cast<int64_t>(kernels_->rows));
  const int64_t rows = (blocks_ - 1) * static_cast<int64_t>(kernels_->rows) + static_cast<int64_t>(BlockRows(blocks_ - 1));
  for (Phase& phase : phases_) {
    phase.weights_at = group_weights_;
    group_weights_ += rows * in_channels_ * static_cast<int64_t>(phase.taps.size());
  }
}

void ConvSum::Plan() {
  phases_.clear();
  if (result_ == Result::kMap) {
    PlanMap();
  } else {
    PlanImage();
  }
}

int64_t ConvSum::LanesInUse() const noexcept {
  size_t vectors = 0;
  for (const Phase& phase : phases_) vectors += phase.vectors.size();
  return static_cast<int64_t>(vectors * kernels_->lanes);
}

// Each element of the padded image belongs to one plane, by its position modulo the stride.
void ConvSum::PlanMap() {
  Phase phase;
  padded_ = PadImage(shape_, phase.offsets);
  for (size_t tap = 0; tap < phase.offsets.size(); ++tap) phase.taps.push_back(static_cast<int32_t>(tap));
  AddVectors(phase, {0, 0, 0}, shape_.map, {0, 0, 0}, {1, 1, 1});
  phases_.push_back(std::move(phase));
}

// Element x of the image is at u·s + r of the padded one, and gets from every tap t with t·d = r modulo
// s the element u - (t·d - r)/s of the map: for each r a sum of its own.
void ConvSum::PlanImage() {
  struct Axis {
    int64_t begin;   // of u
    int64_t count;
    int64_t first;   // element of the image at `begin`
    int64_t shift;   // the greatest (t·d - r)/s
  };
  const auto axis_of = [&](size_t axis, int64_t r) {
    const int64_t s = shape_.stride[axis];
    const int64_t pad = shape_.pad[axis];
    Axis result{};
    result.begin = pad > r ? CeilDiv(pad - r, s) : -((r - pad) / s);
    result.first = result.begin * s + r - pad;
    result.count = std::max<int64_t>(0, CeilDiv(shape_.image[axis] - result.first, s));
    for (int64_t t = 0; t < shape_.kernel[axis]; ++t) {
      const int64_t at = t * shape_.dilation[axis];
      if (at % s == r) result.shift = std::max(result.shift, at / s);
    }
    return result;
  };

  padded_.source = shape_.map;
  padded_.planes.resize(1);
  Dims before{0, 0, 0};
  for (size_t axis = 0; axis < 3; ++axis) {
    int64_t end = 1;
    for (int64_t r = 0; r < shape_.stride[axis]; ++r) {
      const Axis here = axis_of(axis, r);
      before[axis] = std::max(before[axis], here.shift - here.begin);
      end = std::max(end, here.begin + here.count);
    }
    padded_.size[axis] = end + before[axis];
    padded_.planes[0].origin[axis] = -before[axis];
  }

  Dims r{0, 0, 0};
  for (r[0] = 0; r[0] < shape_.stride[0]; ++r[0]) {
    for (r[1] = 0; r[1] < shape_.stride[1]; ++r[1]) {
      for (r[2] = 0; r[2] < shape_.stride[2]; ++r[2]) {
        Dims base{};
        Dims count{};
        Dims first{};
        Dims shift{};
        for (size_t axis = 0; axis < 3; ++axis) {
          const Axis here = axis_of(axis, r[axis]);
          base[axis] = here.begin + before[axis] - here.shift;
          count[axis] = here.count;
          first[axis] = here.first;
          shift[axis] = here.shift;
        }
        if (count[0] == 0 || count[1] == 0 || count[2] == 0) continue;
        Phase phase;
        ForEachTap(shape_, [&](int64_t tap, const Dims& at) {
          int64_t offset = 0;
          for (size_t axis = 0; axis < 3; ++axis) {
            const int64_t place = at[axis] * shape_.dilation[axis];
            if (place % shape_.stride[axis] != r[axis]) return;
            offset = offset * padded_.size[axis] + shift[axis] - place / shape_.stride[axis];
          }
          phase.taps.push_back(static_cast<int32_t>(tap));
          phase.offsets.push_back(static_cast<int32_t>(offset));
        });
        AddVectors(phase, base, count, first, shape_.stride);
        phases_.push_back(std::move(phase));
      }
    }
  }
}

// Covers a box of `count` places from `base` on in the padded channel with vectors: row by row, or all
// rows as one stretch with the gaps between them, whichever takes fewer. Place (a, b, c) of the box goes
// to (a, b, c) * step + first of the result.
void ConvSum::AddVectors(Phase& phase, const Dims& base, const Dims& count, const Dims& first, const Dims& step) {
  const auto lanes = static_cast<int64_t>(kernels_->lanes);
  const Dims& size = padded_.size;
  const Dims& out = result_ == Result::kMap ? shape_.map : shape_.image;
  const int64_t start = (base[0] * size[1] + base[1]) * size[2] + base[2];
  const int64_t stretch = ((count[0] - 1) * size[1] + count[1] - 1) * size[2] + count[2];
  const auto place = [&](int64_t a, int64_t b, int64_t c) {
    return static_cast<int32_t>(((a * step[0] + first[0]) * out[1] + b * step[1] + first[1]) * out[2] + c * step[2] +
                                first[2]);
  };
  const auto add = [&](int64_t at) {
    phase.vectors.push_back(
        {static_cast<int32_t>(at), static_cast<int32_t>(phase.segments.size()), 0});
  };
  const auto add_segment = [&](int64_t lane, int64_t length, int32_t to) {
    phase.segments.push_back({static_cast<int32_t>(lane), static_cast<int32_t>(length), to});
    ++phase.vectors.back().segments;
  };
  if (count[0] * count[1] * CeilDiv(count[2], lanes) <= CeilDiv(stretch, lanes)) {
    for (int64_t a = 0; a < count[0]; ++a) {
      for (int64_t b = 0; b < count[1]; ++b) {
        for (int64_t c = 0; c < count[2]; c += lanes) {
          add(start + (a * size[1] + b) * size[2] + c);
          add_segment(0, std::min(lanes, count[2] - c), place(a, b, c));
        }
      }
    }
    return;
  }
  for (int64_t at = 0; at < stretch; at += lanes) {
    add(start + at);
    for (int64_t lane = 0; lane < lanes && at + lane < stretch;) {
      const int64_t c = (at + lane) % size[2];
      const int64_t b = (at + lane) / size[2] % size[1];
      const int64_t a = (at + lane) / size[2] / size[1];
      const int64_t row_rest = std::min(lanes - lane, size[2] - c);
      const int64_t length = std::min(row_rest, count[2] - c);
      if (b < count[1] && length > 0) add_segment(lane, length, place(a, b, c));
      lane += row_rest;
    }
  }
}

// Channels of a result are worked on in blocks of as many rows as a tile has; the last may have fewer.
size_t ConvSum::BlockRows(int64_t block) const noexcept {
  const auto rows = static_cast<int64_t>(kernels_->rows);
  const int64_t left = out_channels_ - block * rows;
  if (left > rows / 2) return kernels_->rows;
  return left > 1 ? kernels_->rows / 2 : 1;
}

// For each group, phase and block: [channel][tap][row of the block], with zeros in rows that there are not.
void ConvSum::PackWeights(const float* weight, float* packed, Parallel& parallel) const {
  const int64_t taps = shape_.taps();
  const bool to_map = result_ == Result::kMap;
  parallel.For(static_cast<size_t>(shape_.groups * blocks_), [&](size_t task) {
    const int64_t group = static_cast<int64_t>(task) / blocks_;
    const int64_t block = static_cast<int64_t>(task) % blocks_;
    const auto rows = static_cast<int64_t>(BlockRows(block));
    const int64_t first = block * static_cast<int64_t>(kernels_->rows);
    for (const Phase& phase : phases_) {
      const auto count = static_cast<int64_t>(phase.taps.size());
      float* to = packed + group * group_weights_ + phase.weights_at + first * in_channels_ * count;
      for (int64_t in = 0; in < in_channels_; ++in) {
        for (int64_t t = 0; t < count; ++t) {
          for (int64_t row = 0; row < rows; ++row) {
            const int64_t out = first + row;
            // The weight is [map channel of all groups][image channel of one][tap].
            const int64_t at = to_map ? (group * out_channels_ + out) * in_channels_ + in
                                      : (group * in_channels_ + in) * out_channels_ + out;
            *to++ = out < out_channels_ ? weight[at * taps + phase.taps[static_cast<size_t>(t)]] : 0;
          }
        }
      }
    }
  });
}

void ConvSum::Run(const float* input, const float* weight, const float* bias, float* output,
                  Parallel& parallel) const {
  const Floats packed(parallel, static_cast<size_t>(group_weights_ * shape_.groups));
  PackWeights(weight, packed.data(), parallel);

  size_t vectors = 0;
  for (const Phase& phase : phases_) vectors = std::max(vectors, phase.vectors.size());
  const int64_t fill = CeilDiv(kVectorsInTask, std::max<int64_t>(1, static_cast<int64_t>(vectors)));
  const int64_t images = std::clamp<int64_t>(fill, 1, std::max<int64_t>(1, shape_.batch / kTasks));
  const int64_t parts = CeilDiv(shape_.batch, images);
  // Few images: their channels are divided as well, and each part pads the image for itself.
  const int64_t splits = std::clamp<int64_t>(CeilDiv(kTasks, parts), 1, blocks_);
  const int64_t channels = in_channels_ * shape_.groups;
  FloatsPool pool(parallel, static_cast<size_t>(images * channels * padded_.channel_floats() + kSlack));
  pool.For(static_cast<size_t>(parts * splits), [&](size_t task, float* padded) {
    const int64_t first = static_cast<int64_t>(task) / splits * images;
    const int64_t split = static_cast<int64_t>(task) % splits;
    RunTask(first, std::min(images, shape_.batch - first), split * blocks_ / splits, (split + 1) * blocks_ / splits,
            input, packed.data(), bias, output, padded);
  });
}

void ConvSum::RunTask(int64_t first_image, int64_t images, int64_t first_block, int64_t end_block, const float* input,
                      const float* packed, const float* bias, float* output, float* padded) const {
  const int64_t in_total = in_channels_ * shape_.groups;
  const int64_t out_total = out_channels_ * shape_.groups;
  const int64_t in_places = padded_.source[0] * padded_.source[1] * padded_.source[2];
  const int64_t channel = padded_.channel_floats();
  for (int64_t c = 0; c < images * in_total; ++c) {
    padded_.Pack(input + (first_image * in_total + c) * in_places, padded + c * channel);
  }
  float tile[kMaxTileRows * kTileVectors * kMaxLanes];
  for (int64_t group = 0; group < shape_.groups; ++group) {
    for (const Phase& phase : phases_) {
      const auto count = static_cast<int64_t>(phase.vectors.size());
      const auto taps = static_cast<int64_t>(phase.taps.size());
      for (int64_t block = first_block; block < end_block; ++block) {
        const size_t rows = BlockRows(block);
        const int64_t first = block * static_cast<int64_t>(kernels_->rows);
        const int64_t real = std::min(static_cast<int64_t>(rows), out_channels_ - first);
        const float* weights = packed + group * group_weights_ + phase.weights_at + first * in_channels_ * taps;
        for (int64_t at = 0; at < images * count; at += kTileVectors) {
          const float* bases[kTileVectors];
          const Vector* vectors[kTileVectors];
          float* results[kTileVectors];
          for (int64_t v = 0; v < static_cast<int64_t>(kTileVectors); ++v) {
            // What the last tile has left over is computed twice.
            const int64_t index = std::min(at + v, images * count - 1);
            vectors[v] = &phase.vectors[static_cast<size_t>(index % count)];
            bases[v] = padded + (index / count * in_total + group * in_channels_) * channel + vectors[v]->start;
            results[v] =
                output + ((first_image + index / count) * out_total + group * out_channels_ + first) * out_places_;
          }
          kernels_->correlate(rows, bases, phase.offsets.data(), phase.offsets.size(),
                             static_cast<size_t>(in_channels_), static_cast<size_t>(channel), weights, tile);
          for (int64_t v = 0; v < std::min<int64_t>(kTileVectors, images * count - at); ++v) {
            for (int64_t row = 0; row < real; ++row) {
              const float* sums = tile + (row * static_cast<int64_t>(kTileVectors) + v) * static_cast<int64_t>(kernels_->lanes);
              Store(phase, *vectors[v], sums, bias == nullptr ? 0 : bias[group * out_channels_ + first + row],
                    results[v] + row * out_places_);
            }
          }
        }
      }
    }
  }
}

void ConvSum::Store(const Phase& phase, const Vector& vector, const float* sums, float bias, float* to) const noexcept {
  for (int32_t s = 0; s < vector.segments; ++s) {
    const Segment& segment = phase.segments[static_cast<size_t>(vector.first_segment + s)];
    const float* from = sums + segment.lane;
    float* out = to + segment.to;
    if (out_stride_ == 1) {
      for (int32_t i = 0; i < segment.count; ++i) out[i] = from[i] + bias;
    } else {
      for (int32_t i = 0; i < segment.count; ++i) out[i * out_stride_] = from[i] + bias;
    }
  }
}

}  // namespace node_vae
