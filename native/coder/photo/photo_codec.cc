#include "coder/photo/photo_codec.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string>

#include "coder/photo/calibration.h"
#include "coder/photo/sample_mixture.h"
#include "coder/photo/wavefront.h"
#include "coder/rans.h"
#include "coder/symbol_table.h"
#include "core/error.h"

namespace node_vae::coder {

namespace {

constexpr int kEffortBits = 2;
constexpr int kShiftBits = 4;
constexpr int kCountBits = 16;
constexpr int kLengthBits = 5;

[[noreturn]] void Damaged() {
  throw Error(code::kFormat, "A coded tile does not decode to its end: it is damaged, or was made with another model.");
}

void Ask(const StopCheck& stop) {
  if (stop && stop()) throw Error(code::kAborted, "Coding was aborted.");
}

// Planes that are coded together, and the channels that they are, in their order.
struct Group {
  std::vector<size_t> channels;
};

std::vector<Group> Groups(size_t channels) {
  // Alpha first; then grey, or green, red, blue.
  std::vector<Group> groups;
  if (channels == 2 || channels == 4) groups.push_back({{channels - 1}});
  groups.push_back(channels < 3 ? Group{{0}} : Group{{1, 0, 2}});
  return groups;
}

std::vector<const std::vector<int32_t>*> Priors(const Group& group, const std::array<std::vector<int32_t>, kRoles>& of) {
  if (group.channels.size() == 1) return {&of[0]};
  return {&of[1], &of[2], &of[3]};
}

// What is told of a group before its samples: which values there are, and how coarse differences are looked at.
struct Levels {
  int shift = 0;
  bool listed = false;
  std::vector<uint32_t> values;  // of the samples that are coded, in rising order, where not all up to `most`
  std::vector<uint16_t> index;   // the other way round; of the encoder
  int32_t most = 0;              // the largest sample that is coded
};

template <typename Sample>
Levels FindLevels(std::span<const Sample> samples, size_t channels, const Group& group, const TileShape& shape) {
  const size_t all = size_t{1} << shape.bits;
  std::vector<bool> used(all);
  size_t count = 0;
  for (const size_t channel : group.channels) {
    for (size_t i = channel; i < samples.size(); i += channels) {
      if (used[samples[i]]) continue;
      used[samples[i]] = true;
      ++count;
    }
  }
  Levels levels;
  // A list costs two or three bits a value; fewer values save one for each sample.
  levels.listed = count * 2 <= all && count * 3 * 2 < samples.size() / channels * group.channels.size();
  levels.listed = levels.listed || count == 1;
  levels.most = static_cast<int32_t>(levels.listed ? count - 1 : all - 1);
  if (levels.listed) {
    levels.index.resize(all);
    for (size_t value = 0; value < all; ++value) {
      if (!used[value]) continue;
      levels.index[value] = static_cast<uint16_t>(levels.values.size());
      levels.values.push_back(static_cast<uint32_t>(value));
    }
  }
  if (levels.most > 511) {
    // Differences as large as in 8 bits: the mean one between neighbours comes to 4 to 8.
    uint64_t sum = 0;
    uint64_t counted = 0;
    for (const size_t channel : group.channels) {
      for (size_t i = channel + channels; i < samples.size(); i += channels) {
        const auto index = [&](Sample value) -> int { return levels.listed ? levels.index[value] : value; };
        sum += static_cast<uint64_t>(std::abs(index(samples[i]) - index(samples[i - channels])));
        ++counted;
      }
    }
    const uint64_t mean = counted == 0 ? 0 : sum / counted;
    levels.shift = std::clamp(static_cast<int>(std::bit_width(mean)) - 3, 0, 8);
  }
  return levels;
}

void PushHeader(const Levels& levels, std::vector<CodedSymbol>& out) {
  const auto uniform = [&](uint32_t value, int bits) { out.push_back({{value, 1}, bits}); };
  uniform(static_cast<uint32_t>(levels.shift), kShiftBits);
  uniform(levels.listed ? 1 : 0, 1);
  if (!levels.listed) return;
  uniform(static_cast<uint32_t>(levels.values.size() - 1), kCountBits);
  // Distances from one to the next as the Elias gamma code has them.
  uint32_t next = 0;
  for (const uint32_t value : levels.values) {
    const uint32_t distance = value - next + 1;
    const int length = std::bit_width(distance);
    uniform(static_cast<uint32_t>(length), kLengthBits);
    if (length > 1) uniform(distance & ((1U << (length - 1)) - 1), length - 1);
    next = value + 1;
  }
}

Levels PopHeader(RansStack& message, int bits) {
  const auto uniform = [&](int wide) { return PopSymbol(message, 0, Uniform{wide}); };
  Levels levels;
  levels.shift = static_cast<int>(uniform(kShiftBits));
  levels.listed = uniform(1) == 1;
  levels.most = (int32_t{1} << bits) - 1;
  if (levels.shift > 8) Damaged();
  if (!levels.listed) return levels;
  const uint32_t count = uniform(kCountBits) + 1;
  uint32_t next = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto length = static_cast<int>(uniform(kLengthBits));
    if (length < 1 || length > 17) Damaged();
    uint32_t distance = 1U << (length - 1);
    if (length > 1) distance |= uniform(length - 1);
    const uint32_t value = next + distance - 1;
    if (value > static_cast<uint32_t>(levels.most)) Damaged();
    levels.values.push_back(value);
    next = value + 1;
  }
  levels.most = static_cast<int32_t>(count) - 1;
  return levels;
}

// Networks of a group's planes, and room for what they give.
class Networks {
 public:
  Networks(const PhotoModel& model, size_t effort, const Wavefront& wavefront) : outputs_(3 * model.components()) {
    for (size_t plane = 0; plane < wavefront.plane_count(); ++plane) {
      stacks_.push_back(&model.network(wavefront.role(plane), effort));
      strides_.push_back(stacks_.back()->input_stride());
    }
    raw_.resize(Wavefront::kMostRows * outputs_);
  }
  const std::vector<size_t>& strides() const noexcept { return strides_; }
  // Rows of 3 * components numbers.
  const int16_t* Run(size_t plane, const int16_t* features, size_t count) {
    stacks_[plane]->Run(features, count, raw_.data(), outputs_, scratch_);
    return raw_.data();
  }
  size_t outputs() const noexcept { return outputs_; }

 private:
  size_t outputs_;
  std::vector<const DenseStack*> stacks_;
  std::vector<size_t> strides_;
  std::vector<int16_t> raw_;
  DenseStack::Scratch scratch_;
};

std::vector<const std::vector<int32_t>*> Priors(const PhotoModel& model, const Group& group) {
  if (group.channels.size() == 1) return {&model.prior(Role::kGrey)};
  return {&model.prior(Role::kGreen), &model.prior(Role::kRed), &model.prior(Role::kBlue)};
}

template <typename Sample>
std::vector<uint8_t> EncodeTile(const PhotoModel& model, std::span<const Sample> samples, const TileShape& shape,
                                size_t effort, const StopCheck& stop) {
  if (samples.size() != PhotoCodec::Samples(shape)) throw Error(code::kShape, "A tile has another size than it says.");
  if (effort >= model.efforts()) throw Error(code::kOption, "The model has no such effort.");
  const size_t channels = shape.channels;
  const uint32_t limit = (uint32_t{1} << shape.bits) - 1;
  if (limit < static_cast<uint32_t>(static_cast<Sample>(~Sample{0}))) {
    for (const Sample value : samples) {
      if (value > limit) throw Error(code::kData, "A tile holds a sample of " + std::to_string(value) + ", more than " + std::to_string(shape.bits) + " bits.");
    }
  }
  struct Coded {
    std::vector<CodedSymbol> header;
    std::vector<Interval> samples;
  };
  std::vector<Coded> coded;
  for (const Group& group : Groups(channels)) {
    Coded& out = coded.emplace_back();
    const Levels levels = FindLevels(samples, channels, group, shape);
    PushHeader(levels, out.header);
    if (levels.most == 0) continue;
    Wavefront wavefront(shape.width, shape.height, group.channels.size(), levels.most, levels.shift, Priors(model, group));
    Networks networks(model, effort, wavefront);
    Calibration calibration(group.channels.size());
    out.samples.reserve(shape.width * shape.height * group.channels.size());
    wavefront.Run(
        networks.strides(),
        [&](size_t plane, const Front* fronts, size_t count, const int16_t* features, int32_t* values) {
          const int16_t* raw = networks.Run(plane, features, count);
          for (size_t i = 0; i < count; ++i) {
            const Sample sample = samples[(fronts[i].y * shape.width + fronts[i].x) * channels + group.channels[plane]];
            const uint32_t value = levels.listed ? levels.index[sample] : sample;
            const SampleMixture mixture(raw + i * networks.outputs(), model.components(), fronts[i].around,
                                        static_cast<uint32_t>(levels.most), calibration.Of(plane, fronts[i].around));
            out.samples.push_back(mixture.IntervalOf(value));
            calibration.Note(plane, fronts[i].around, mixture.ShareBelow(value), mixture.ShareBelow(value + 1));
            values[i] = static_cast<int32_t>(value);
          }
        },
        [](size_t) {}, [&] { Ask(stop); });
  }
  // A stack: what is decoded first is pushed last.
  RansStack message(1);
  for (size_t g = coded.size(); g-- > 0;) {
    for (size_t i = coded[g].samples.size(); i-- > 0;) message.Push(0, coded[g].samples[i], kPrecision);
    for (size_t i = coded[g].header.size(); i-- > 0;) {
      message.Push(0, coded[g].header[i].interval, coded[g].header[i].precision);
    }
  }
  message.Push(0, {static_cast<uint32_t>(effort), 1}, kEffortBits);
  return message.Serialize();
}

template <typename Sample>
void DecodeTile(const PhotoModel& model, std::span<const uint8_t> bytes, const TileShape& shape,
                std::span<Sample> samples, const StopCheck& stop) {
  if (samples.size() != PhotoCodec::Samples(shape)) throw Error(code::kShape, "A tile has another size than it says.");
  const size_t channels = shape.channels;
  RansStack message(1, bytes);
  const size_t effort = PopSymbol(message, 0, Uniform{kEffortBits});
  if (effort >= model.efforts()) Damaged();
  for (const Group& group : Groups(channels)) {
    const Levels levels = PopHeader(message, shape.bits);
    if (levels.most == 0) {
      for (const size_t channel : group.channels) {
        for (size_t i = channel; i < samples.size(); i += channels) samples[i] = static_cast<Sample>(levels.values[0]);
      }
      continue;
    }
    Wavefront wavefront(shape.width, shape.height, group.channels.size(), levels.most, levels.shift, Priors(model, group));
    Networks networks(model, effort, wavefront);
    Calibration calibration(group.channels.size());
    wavefront.Run(
        networks.strides(),
        [&](size_t plane, const Front* fronts, size_t count, const int16_t* features, int32_t* values) {
          const int16_t* raw = networks.Run(plane, features, count);
          for (size_t i = 0; i < count; ++i) {
            const SampleMixture mixture(raw + i * networks.outputs(), model.components(), fronts[i].around,
                                        static_cast<uint32_t>(levels.most), calibration.Of(plane, fronts[i].around));
            Interval interval;
            const uint32_t value = mixture.Find(message.Peek(0, kPrecision), &interval);
            message.Pop(0, interval, kPrecision);
            calibration.Note(plane, fronts[i].around, mixture.ShareBelow(value), mixture.ShareBelow(value + 1));
            values[i] = static_cast<int32_t>(value);
            samples[(fronts[i].y * shape.width + fronts[i].x) * channels + group.channels[plane]] =
                static_cast<Sample>(levels.listed ? levels.values[value] : value);
          }
        },
        [](size_t) {}, [&] { Ask(stop); });
  }
  if (!message.IsEmpty()) Damaged();
}

}  // namespace

size_t PhotoCodec::Samples(const TileShape& shape) {
  if (shape.width < 1 || shape.height < 1 || shape.width > kMostSide || shape.height > kMostSide ||
      shape.width * shape.height > kMostPixels ||
      shape.channels < 1 || shape.channels > 4 || shape.bits < 1 || shape.bits > 16) {
    throw Error(code::kShape, "A tile of " + std::to_string(shape.width) + " x " + std::to_string(shape.height) + " with " +
                                  std::to_string(shape.channels) + " channels of " + std::to_string(shape.bits) +
                                  " bits cannot be coded: expected sides of 1 to 65536, at most 2^24 pixels, 1 to 4 channels, 1 to 16 bits.");
  }
  return shape.width * shape.height * shape.channels;
}

std::vector<uint8_t> PhotoCodec::Encode(std::span<const uint8_t> samples, const TileShape& shape, size_t effort,
                                        const StopCheck& stop) {
  return EncodeTile(model_, samples, shape, effort, stop);
}
std::vector<uint8_t> PhotoCodec::Encode(std::span<const uint16_t> samples, const TileShape& shape, size_t effort,
                                        const StopCheck& stop) {
  return EncodeTile(model_, samples, shape, effort, stop);
}
void PhotoCodec::Decode(std::span<const uint8_t> bytes, const TileShape& shape, std::span<uint8_t> samples,
                        const StopCheck& stop) {
  DecodeTile(model_, bytes, shape, samples, stop);
}
void PhotoCodec::Decode(std::span<const uint8_t> bytes, const TileShape& shape, std::span<uint16_t> samples,
                        const StopCheck& stop) {
  DecodeTile(model_, bytes, shape, samples, stop);
}

void PhotoCodec::Collect(std::span<const uint8_t> samples, const TileShape& shape,
                         const std::array<std::vector<int32_t>, kRoles>& priors, uint32_t every, uint64_t seed,
                         PhotoSamples& into) {
  if (samples.size() != Samples(shape)) throw Error(code::kShape, "A tile has another size than it says.");
  const int32_t most = (int32_t{1} << shape.bits) - 1;
  for (const Group& group : Groups(shape.channels)) {
    Wavefront wavefront(shape.width, shape.height, group.channels.size(), most, 0, Priors(group, priors));
    std::vector<size_t> strides;
    for (size_t plane = 0; plane < wavefront.plane_count(); ++plane) {
      strides.push_back(PhotoFeatures::Count(wavefront.role(plane)));
    }
    std::vector<int64_t> sums;
    wavefront.Run(
        strides,
        [&](size_t plane, const Front* fronts, size_t count, const int16_t* features, int32_t* values) {
          std::vector<int32_t>& rows = into.rows[static_cast<size_t>(wavefront.role(plane))];
          for (size_t i = 0; i < count; ++i) {
            const Front& front = fronts[i];
            values[i] = samples[(front.y * shape.width + front.x) * shape.channels + group.channels[plane]];
            // The same pixels of every plane.
            uint64_t mixed = seed + (front.y * shape.width + front.x) * 0x9E3779B97F4A7C15U;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
            if ((mixed >> 33) % every != 0) continue;
            rows.insert(rows.end(), features + i * strides[plane], features + (i + 1) * strides[plane]);
            rows.insert(rows.end(), {front.around.prediction, front.around.alternative, front.around.scale,
                                     values[i] << kFractionBits, most << kFractionBits});
          }
        },
        [&](size_t plane) {
          const auto role = static_cast<size_t>(wavefront.role(plane));
          const size_t size = (wavefront.predictor(plane).count() + 1) * (wavefront.predictor(plane).count() + 1);
          sums.resize(size);
          wavefront.predictor(plane).LastSums(sums.data());
          into.sums[role].resize(size);
          for (size_t i = 0; i < size; ++i) into.sums[role][i] += sums[i];
          ++into.blocks[role];
        },
        [] {});
  }
}

}  // namespace node_vae::coder
