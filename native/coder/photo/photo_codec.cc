#include "coder/photo/photo_codec.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string>

#include "coder/photo/calibration.h"
#include "coder/photo/levels.h"
#include "coder/photo/log_table.h"
#include "coder/photo/sample_mixture.h"
#include "coder/photo/wavefront.h"
#include "coder/rans.h"
#include "core/error.h"

namespace node_vae::coder {

namespace {

// The first symbol: the effort, and whether levels are told in the second way.
constexpr int kEffortBits = 2;
constexpr uint32_t kSecondWay = 2;
static_assert(PhotoModel::kMostEfforts <= kSecondWay);
// The most that is coded to see which levels make a tile shorter.
constexpr size_t kPieceWidth = 256;
constexpr size_t kPiecePixels = 1 << 16;
// Differences of a piece that may not be the tile's.
constexpr double kDoubt = 0.996;
// Bits of a sample, in 1/256, that lists have to save to be worth a look.
constexpr int64_t kLeastSaved = 4;
// Lists that may save so many times what they cost are told whatever a piece says, which need not show what they save.
constexpr int64_t kSurely = 16;

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

// Whether differences may be too large for networks of 8-bit samples.
bool IsWide(const Levels& levels) { return levels.Most() > 511; }

// A tile that is coded: what all of its groups have in common.
template <typename Sample>
struct TileEncoder {
  const PhotoModel& model;
  std::span<const Sample> samples;
  const TileShape& shape;
  size_t effort;
  const StopCheck& stop;

  // Gives take() the interval of each sample of a group, in their order.
  template <typename Take>
  void Code(const Group& group, const Levels& levels, const Take& take) const {
    if (levels.Most() == 0) return;
    const size_t planes = group.channels.size();
    Wavefront wavefront(shape.width, shape.height, planes, levels.Most(), levels.shift, Priors(model, group));
    Networks networks(model, effort, wavefront);
    Calibration calibration(planes);
    wavefront.Run(
        networks.strides(),
        [&](size_t plane, const Front* fronts, size_t count, const int16_t* features, int32_t* values) {
          const int16_t* raw = networks.Run(plane, features, count);
          for (size_t i = 0; i < count; ++i) {
            const Sample sample = samples[(fronts[i].y * shape.width + fronts[i].x) * shape.channels + group.channels[plane]];
            const uint32_t value = levels.NumberOf(plane, sample);
            const SampleMixture mixture(raw + i * networks.outputs(), model.components(), fronts[i].around,
                                        static_cast<uint32_t>(levels.most[plane]), calibration.Of(plane, fronts[i].around));
            const SampleMixture::Place place = mixture.PlaceOf(value);
            take(place.interval);
            calibration.Note(plane, fronts[i].around, place.from, place.to);
            values[i] = static_cast<int32_t>(value);
          }
        },
        [](size_t) {}, [&] { Ask(stop); });
  }

  // The bits of a group, in 1/256.
  int64_t Cost(const Group& group, const Levels& levels) const {
    int64_t cost = 0;
    Code(group, levels, [&](Interval interval) { cost += kPrecision * 256 - LogTable::Get()(interval.size); });
    return cost;
  }

  // How far differences are to be divided so that they are as large as in 8 bits, at a guess.
  int ShiftOf(const Group& group, const Levels& levels) const {
    if (!IsWide(levels)) return 0;
    uint64_t sum = 0;
    uint64_t counted = 0;
    for (size_t plane = 0; plane < group.channels.size(); ++plane) {
      const auto number = [&](size_t i) { return static_cast<int32_t>(levels.NumberOf(plane, samples[i])); };
      for (size_t i = group.channels[plane] + shape.channels; i < samples.size(); i += shape.channels) {
        sum += static_cast<uint64_t>(std::abs(number(i) - number(i - shape.channels)));
        ++counted;
      }
    }
    const uint64_t mean = counted == 0 ? 0 : sum / counted;
    return std::clamp(static_cast<int>(std::bit_width(mean)) - 3, 0, kMostShift);
  }

  // The levels of a group that make the tile shortest, as far as a piece of it tells.
  Levels Choose(const Group& group) const;
};

int64_t CostOf(const Levels& levels, int bits) {
  std::vector<CodedSymbol> symbols;
  PushLevels(levels, true, bits, symbols);
  int64_t cost = 0;
  for (const CodedSymbol& one : symbols) cost += one.precision * 256 - LogTable::Get()(one.interval.size);
  return cost;
}

template <typename Sample>
Levels TileEncoder<Sample>::Choose(const Group& group) const {
  std::vector<ValueCounts> counts;
  for (const size_t channel : group.channels) {
    ValueCounts& own = counts.emplace_back(size_t{1} << shape.bits);
    for (size_t i = channel; i < samples.size(); i += shape.channels) ++own[samples[i]];
  }
  Levels all = AllLevels(group.channels.size(), shape.bits);
  Levels listed = ListedLevels(counts, shape.bits);
  if (listed.Most() == 0) return listed;
  const int64_t told = CostOf(listed, shape.bits);
  const int64_t saved = MostSavedByLists(counts);
  const auto coded = static_cast<int64_t>(shape.width * shape.height * group.channels.size());
  const bool may_save = saved > told + coded * kLeastSaved;
  if (!may_save && !IsWide(all)) return all;

  // A piece of the tile stands for all of it.
  TileShape part = shape;
  part.width = std::min(shape.width, kPieceWidth);
  part.height = std::min(shape.height, kPiecePixels / part.width);
  const size_t left = (shape.width - part.width) / 2;
  const size_t top = (shape.height - part.height) / 2;
  std::vector<Sample> piece;
  for (size_t y = top; y < top + part.height; ++y) {
    const auto row = samples.begin() + static_cast<ptrdiff_t>((y * shape.width + left) * shape.channels);
    piece.insert(piece.end(), row, row + static_cast<ptrdiff_t>(part.width * part.channels));
  }
  const TileEncoder trial{model, piece, part, effort, stop};
  const double times = static_cast<double>(shape.width * shape.height) / static_cast<double>(part.width * part.height);
  const auto cost = [&](const Levels& levels) { return static_cast<double>(trial.Cost(group, levels)) * times; };
  // What is learned on the way to the end of a tile evens out some of what is seen here.
  const double doubt = times > 1.0 ? kDoubt : 1.0;

  // Networks of wide samples like to look a little coarser than at a guess.
  const auto coarse = [&](const Levels& levels) {
    return IsWide(levels) ? std::min(ShiftOf(group, levels) + 1, kMostShift) : 0;
  };
  all.shift = coarse(all);
  listed.shift = coarse(listed);
  Levels best = std::move(all);
  double least = -1.0;
  if (may_save && saved > kSurely * told) {
    best = std::move(listed);
  } else if (may_save) {
    least = cost(best);
    const double other = cost(listed);
    if (other + static_cast<double>(told) < least) {
      best = std::move(listed);
      least = other;
    }
  }
  if (best.shift == 0) return best;
  if (least < 0.0) least = cost(best);
  for (Levels next = best; next.shift-- > 0;) {
    const double other = cost(next);
    if (other >= least * doubt) break;
    best.shift = next.shift;
    least = other;
  }
  return best;
}

template <typename Sample>
std::vector<uint8_t> EncodeTile(const PhotoModel& model, std::span<const Sample> samples, const TileShape& shape,
                                const PhotoCodec::Options& options, const StopCheck& stop) {
  if (samples.size() != PhotoCodec::Samples(shape)) throw Error(code::kShape, "A tile has another size than it says.");
  if (options.effort >= model.efforts()) throw Error(code::kOption, "The model has no such effort.");
  const uint32_t limit = (uint32_t{1} << shape.bits) - 1;
  if (limit < static_cast<uint32_t>(static_cast<Sample>(~Sample{0}))) {
    for (const Sample value : samples) {
      if (value > limit) throw Error(code::kData, "A tile holds a sample of " + std::to_string(value) + ", more than " + std::to_string(shape.bits) + " bits.");
    }
  }
  const TileEncoder<Sample> encoder{model, samples, shape, options.effort, stop};
  struct Coded {
    Levels levels;
    std::vector<Interval> samples;
  };
  std::vector<Coded> coded;
  bool second_way = false;
  for (const Group& group : Groups(shape.channels)) {
    Coded& out = coded.emplace_back();
    if (options.choose) {
      out.levels = encoder.Choose(group);
    } else {
      out.levels = AllLevels(group.channels.size(), shape.bits);
      out.levels.shift = encoder.ShiftOf(group, out.levels);
    }
    second_way = second_way || !out.levels.lists.empty();
    out.samples.reserve(shape.width * shape.height * group.channels.size());
    encoder.Code(group, out.levels, [&](Interval interval) { out.samples.push_back(interval); });
  }
  // A stack: what is decoded first is pushed last.
  RansStack message(1);
  for (size_t g = coded.size(); g-- > 0;) {
    for (size_t i = coded[g].samples.size(); i-- > 0;) message.Push(0, coded[g].samples[i], kPrecision);
    std::vector<CodedSymbol> header;
    PushLevels(coded[g].levels, second_way, shape.bits, header);
    for (size_t i = header.size(); i-- > 0;) message.Push(0, header[i].interval, header[i].precision);
  }
  message.Push(0, {static_cast<uint32_t>(options.effort) + (second_way ? kSecondWay : 0), 1}, kEffortBits);
  return message.Serialize();
}

template <typename Sample>
void DecodeTile(const PhotoModel& model, std::span<const uint8_t> bytes, const TileShape& shape,
                std::span<Sample> samples, const StopCheck& stop) {
  if (samples.size() != PhotoCodec::Samples(shape)) throw Error(code::kShape, "A tile has another size than it says.");
  const size_t channels = shape.channels;
  RansStack message(1, bytes);
  const uint32_t first = PopSymbol(message, 0, Uniform{kEffortBits});
  const size_t effort = first % kSecondWay;
  const bool second_way = first >= kSecondWay;
  if (effort >= model.efforts()) Damaged();
  for (const Group& group : Groups(channels)) {
    const Levels levels = PopLevels(message, second_way, shape.bits, group.channels.size());
    if (levels.Most() == 0) {
      for (size_t plane = 0; plane < group.channels.size(); ++plane) {
        const auto value = static_cast<Sample>(levels.ValueOf(plane, 0));
        for (size_t i = group.channels[plane]; i < samples.size(); i += channels) samples[i] = value;
      }
      continue;
    }
    Wavefront wavefront(shape.width, shape.height, group.channels.size(), levels.Most(), levels.shift, Priors(model, group));
    Networks networks(model, effort, wavefront);
    Calibration calibration(group.channels.size());
    wavefront.Run(
        networks.strides(),
        [&](size_t plane, const Front* fronts, size_t count, const int16_t* features, int32_t* values) {
          const int16_t* raw = networks.Run(plane, features, count);
          for (size_t i = 0; i < count; ++i) {
            const SampleMixture mixture(raw + i * networks.outputs(), model.components(), fronts[i].around,
                                        static_cast<uint32_t>(levels.most[plane]), calibration.Of(plane, fronts[i].around));
            SampleMixture::Place place;
            const uint32_t value = mixture.Find(message.Peek(0, kPrecision), &place);
            message.Pop(0, place.interval, kPrecision);
            calibration.Note(plane, fronts[i].around, place.from, place.to);
            values[i] = static_cast<int32_t>(value);
            samples[(fronts[i].y * shape.width + fronts[i].x) * channels + group.channels[plane]] =
                static_cast<Sample>(levels.ValueOf(plane, value));
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

std::vector<uint8_t> PhotoCodec::Encode(std::span<const uint8_t> samples, const TileShape& shape, const Options& options,
                                        const StopCheck& stop) {
  return EncodeTile(model_, samples, shape, options, stop);
}
std::vector<uint8_t> PhotoCodec::Encode(std::span<const uint16_t> samples, const TileShape& shape, const Options& options,
                                        const StopCheck& stop) {
  return EncodeTile(model_, samples, shape, options, stop);
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
