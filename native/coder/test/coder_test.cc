// Property tests of the coder without Node: push then pop restores both the data and the message.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <stdexcept>

#include "coder/chunk_codec.h"
#include "coder/distributions.h"
#include "coder/latent_codec.h"
#include "coder/photo/photo_codec.h"
#include "coder/symbol_table.h"
#include "coder/rans.h"
#include "coder/test/random_model.h"

namespace node_vae::coder {
namespace {

int checks = 0;

// What TestPhotographs() codes, frozen: archives depend on it.
constexpr uint64_t kPhotoDigest = 0x44146329142BEE07u;
// What TestLatents() codes, likewise.
constexpr uint64_t kLatentDigest = 0x3BED0FE349021835u;

#define CHECK(condition)                                                                \
  do {                                                                                  \
    ++checks;                                                                           \
    if (!(condition)) {                                                                 \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                     \
    }                                                                                   \
  } while (false)

template <typename Body>
bool ThrowsFormat(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return std::strcmp(error.code(), code::kFormat) == 0;
  }
  return false;
}

// Every symbol has a share, shares lie side by side from 0 to 2^precision, and SymbolAt is the
// inverse at both ends of each.
template <typename Distribution>
void CheckDistribution(const Distribution& distribution, uint32_t symbols) {
  uint64_t next = 0;
  for (uint32_t symbol = 0; symbol < symbols; ++symbol) {
    const Interval interval = distribution.IntervalOf(symbol);
    CHECK(interval.start == next);
    CHECK(interval.size >= 1);
    CHECK(distribution.SymbolAt(interval.start) == symbol);
    CHECK(distribution.SymbolAt(interval.start + interval.size - 1) == symbol);
    next += interval.size;
  }
  CHECK(next == uint64_t{1} << distribution.precision());
}

void TestDistributions() {
  TestRandom random(1);
  for (int round = 0; round < 300; ++round) {
    const int bits = 1 + static_cast<int>(random.Below(DiscretisedNormal::kMaxBits));
    const auto any16 = [&] { return static_cast<int16_t>(random.Below(65536)); };
    CheckDistribution(DiscretisedNormal(any16(), any16() >> random.Below(8), bits), 1u << bits);
    const int components = 1 + static_cast<int>(random.Below(PixelMixture::kMaxComponents));
    int16_t raw[3 * PixelMixture::kMaxComponents + 1];
    for (int16_t& value : raw) value = static_cast<int16_t>(any16() >> random.Below(12));
    CheckDistribution(PixelMixture(raw, components), 256);
    CheckDistribution(Bernoulli(any16() * 4), 2);
    std::vector<uint32_t> weights(1 + random.Below(600));
    for (uint32_t& weight : weights) weight = static_cast<uint32_t>(random.Next() >> (32 + random.Below(33) % 32));
    std::vector<uint32_t> cumulative(weights.size() + 1);
    Categorical::FromWeights(weights, cumulative);
    CheckDistribution(Categorical(cumulative), static_cast<uint32_t>(weights.size()));
  }
  CheckDistribution(Uniform{10}, 1024);
}

// Shares of a mixture as archives have had them since the first: whatever is computed sooner, later or not at all.
void TestMixtureFormula() {
  TestRandom random(7);
  for (int round = 0; round < 3000; ++round) {
    const int components = 1 + static_cast<int>(random.Below(PixelMixture::kMaxComponents));
    int16_t raw[3 * PixelMixture::kMaxComponents + 1];
    const uint64_t narrow = random.Below(12);
    for (int16_t& value : raw) value = static_cast<int16_t>(static_cast<int16_t>(random.Below(65536)) >> random.Below(narrow + 1));
    // Equal ones among them.
    if (round % 4 == 0) std::fill(raw, raw + components, raw[0]);
    const int16_t* logits = raw;
    int best = 0;
    for (int k = 1; k < components; ++k) best = logits[k] > logits[best] ? k : best;
    int64_t weight[PixelMixture::kMaxComponents];
    int64_t sum = 0;
    for (int k = 0; k < components; ++k) sum += weight[k] = ScaleExp2(1 << 14, std::max(logits[k] - logits[best], -12 * 256));
    int64_t rest = 1 << 14;
    for (int k = 0; k < components; ++k) rest -= weight[k] = (weight[k] << 14) / sum;
    weight[best] += rest;
    const auto zero = static_cast<uint32_t>(std::clamp<int32_t>(Sigmoid(int64_t{raw[3 * components]} * 16), 48, kUnit - 4096));
    const auto cumulative = [&](int32_t value) -> uint32_t {
      if (value == 1) return zero;
      if (value == 256) return kUnit;
      int64_t mass = 0;
      for (int k = 0; k < components; ++k) {
        const int32_t exponent = std::clamp<int32_t>(raw[2 * components + k], -2031, 923);
        const int64_t distance = (value << 6) - 32 - raw[components + k];
        mass += weight[k] * Sigmoid((distance * kExp2[exponent & 255]) >> (9 - (exponent >> 8)));
      }
      const uint64_t room = kUnit - zero - 255;
      return zero + static_cast<uint32_t>(value - 1) + static_cast<uint32_t>(((static_cast<uint64_t>(mass) >> 14) * room) >> 24);
    };
    const PixelMixture mixture(raw, components);
    CHECK(PixelMixture::ZeroShare(raw[3 * components]) == zero);
    CHECK(mixture.IntervalOf(0).start == 0 && mixture.IntervalOf(0).size == zero);
    for (int32_t value = 1; value < 256; ++value) {
      const Interval interval = mixture.IntervalOf(static_cast<uint32_t>(value));
      CHECK(interval.start == cumulative(value) && interval.start + interval.size == cumulative(value + 1));
      Interval found;
      CHECK(mixture.Find(interval.start + static_cast<uint32_t>(random.Below(interval.size)), &found) == static_cast<uint32_t>(value));
      CHECK(found.start == interval.start && found.size == interval.size);
    }
  }
}

// The mean of a discretised normal lies in the bucket it should, and most mass lies near it.
void TestNormalIsCentred() {
  for (int mean = -8000; mean <= 8000; mean += 500) {
    const int bits = 10;
    const DiscretisedNormal narrow(mean, 5 * 256, bits);  // standard deviation 1/32
    const uint32_t bucket = DiscretisedNormal::BucketOf(mean, bits);
    uint64_t mass = 0;
    for (uint32_t b = 0; b < 1u << bits; ++b) {
      const int distance = std::abs(DiscretisedNormal::Centre(b, bits) - mean);
      if (distance <= 4 * 128 || b == bucket) mass += narrow.IntervalOf(b).size;
    }
    CHECK(mass > kUnit / 100 * 95);
  }
}

void TestStack() {
  TestRandom random(2);
  for (int round = 0; round < 200; ++round) {
    const int lanes = 1 + static_cast<int>(random.Below(RansStack::kMaxLanes));
    RansStack message(lanes);
    struct Step {
      int lane;
      Interval interval;
      int precision;
    };
    std::vector<Step> steps;
    std::vector<RansStack> before;
    for (int i = 0; i < 100; ++i) {
      const int precision = 1 + static_cast<int>(random.Below(RansStack::kMaxPrecision));
      const uint64_t all = uint64_t{1} << precision;
      const auto start = static_cast<uint32_t>(random.Below(all));
      const auto size = static_cast<uint32_t>(1 + random.Below(all - start));
      steps.push_back({static_cast<int>(random.Below(lanes)), {start, size}, precision});
      before.push_back(message);
      message.Push(steps.back().lane, steps.back().interval, precision);
    }
    message = RansStack(lanes, message.Serialize());
    for (size_t i = steps.size(); i-- > 0;) {
      const Step& step = steps[i];
      const uint32_t position = message.Peek(step.lane, step.precision);
      CHECK(position >= step.interval.start && position - step.interval.start < step.interval.size);
      message.Pop(step.lane, step.interval, step.precision);
      CHECK(message == before[i]);
    }
    CHECK(message.IsEmpty());
  }
}

// Bits back: symbols popped from a message that never held them, pushed again, restore it.
void TestPopThenPush() {
  TestRandom random(3);
  RansStack message(4);
  for (int i = 0; i < 4000; ++i) message.Push(i % 4, {static_cast<uint32_t>(random.Below(1u << 20)), 1}, 20);
  const RansStack original = message;
  std::vector<uint32_t> symbols;
  const auto distribution = [](int i) { return DiscretisedNormal(i * 37 % 9000 - 4500, i * 53 % 1500 - 200, 9); };
  for (int i = 0; i < 3000; ++i) symbols.push_back(PopSymbol(message, i % 4, distribution(i)));
  CHECK(message.AvailableBits() < original.AvailableBits());
  for (int i = 3000; i-- > 0;) PushSymbol(message, i % 4, symbols[i], distribution(i));
  CHECK(message == original);
}

void TestStackRefusesDamage() {
  CHECK(ThrowsFormat([] { RansStack(0); }));
  CHECK(ThrowsFormat([] { RansStack(65); }));
  const std::vector<uint8_t> bytes(17, 255);
  CHECK(ThrowsFormat([&] { RansStack(2, std::span(bytes)); }));             // not whole words
  CHECK(ThrowsFormat([&] { RansStack(4, std::span(bytes)); }));             // shorter than its heads
  const std::vector<uint8_t> zeros(16, 0);
  CHECK(ThrowsFormat([&] { RansStack(2, std::span(zeros)); }));             // heads below their range
  RansStack message(1);
  CHECK(ThrowsFormat([&] {
    for (int i = 0; i < 10; ++i) message.Pop(0, {message.Peek(0, 20), 1}, 20);
  }));
}

void TestChunks() {
  TestRandom random(4);
  for (int round = 0; round < 80; ++round) {
    const RandomModel source(random.Next(), 1 + static_cast<size_t>(round % 4));
    const ItemModel model(source.spec());
    CHECK(model.levels() == 1 + static_cast<size_t>(round % 4));
    const size_t size = model.item_size();
    const size_t count = 1 + random.Below(60);
    std::vector<uint8_t> items(count * size);
    // From flat to noise, so that waves with and without enough bits both occur.
    const uint64_t range = 1 + random.Below(256);
    for (uint8_t& value : items) value = static_cast<uint8_t>(random.Below(4) == 0 ? random.Below(range) : 0);
    const std::vector<uint8_t> bytes = ChunkCodec(model).Encode(items.data(), count);
    std::vector<uint8_t> decoded(items.size(), 0xA5);
    ChunkCodec(model).Decode(bytes, count, decoded.data());
    CHECK(decoded == items);

    // A chunk cut short, or with a bit flipped, is refused or gives other bytes; it never crashes.
    std::vector<uint8_t> damaged = bytes;
    damaged[random.Below(damaged.size())] ^= static_cast<uint8_t>(1 << random.Below(8));
    if (random.Below(3) == 0) damaged.resize(random.Below(damaged.size() + 1));
    try {
      ChunkCodec(model).Decode(damaged, count, decoded.data());
      CHECK(decoded != items);
    } catch (const Error& error) {
      CHECK(std::strcmp(error.code(), code::kFormat) == 0);
    }
  }
}

// Waves of a chunk that got bits back; their modes stand at its beginning.
size_t WavesWithBitsBack(const std::vector<uint8_t>& chunk, size_t waves) {
  return static_cast<size_t>(std::count(chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(waves), uint8_t{255}));
}

// Levels above the first take their bits from what the level below has pushed, and where that is too
// little the wave is coded as if nothing had been tried.
void TestLevels() {
  RandomModel source(31, 2);
  ItemModelSpec spec = source.spec();
  const size_t size = spec.height * spec.width * spec.channels;
  CHECK(size > 100);
  constexpr size_t kCount = 48;
  constexpr size_t kWaves = 4;  // 8, 8, 16, 16
  TestRandom random(32);
  std::vector<uint8_t> items(kCount * size);
  for (uint8_t& value : items) value = static_cast<uint8_t>(random.Below(256));
  const auto code = [&](const ItemModelSpec& with) {
    const ItemModel model(with);
    const std::vector<uint8_t> chunk = ChunkCodec(model).Encode(items.data(), kCount);
    std::vector<uint8_t> decoded(items.size());
    ChunkCodec(model).Decode(chunk, kCount, decoded.data());
    CHECK(decoded == items);
    return WavesWithBitsBack(chunk, kWaves);
  };
  CHECK(code(spec) == kWaves - 1);

  // More latents on the second level than the values of an item have bits.
  const size_t many = 8 * size;
  const std::vector<int16_t> weights(2 * many * spec.latents, 3);
  const std::vector<int32_t> bias(2 * many, 0);
  const std::vector<uint8_t> shift(2 * many, 4);
  LevelSpec& level = spec.levels[0];
  level.latents = many;
  level.encoder = {{spec.latents, 2 * many, weights, bias, shift, -8000, 8000}};
  level.prior = {{many, 2 * spec.latents, weights, std::span(bias).first(2 * spec.latents),
                  std::span(shift).first(2 * spec.latents), -8000, 8000}};
  CHECK(code(spec) == 0);
  spec.levels.clear();
  CHECK(code(spec) == kWaves - 1);
}

// Runs a test with the kernels of every set of instructions that this processor has, or the one that the environment
// names.
template <typename Body>
void WithEveryIsa(const Body& body) {
  if (std::getenv("NODE_VAE_CODER_ISA") != nullptr) return body();
#if defined(NODE_VAE_CODER_X86)
  constexpr const char* kLimits[] = {"generic", "sse2", "avx2"};
#else
  constexpr const char* kLimits[] = {"generic"};
#endif
#if !defined(_MSC_VER)
  for (const char* isa : kLimits) {
    setenv("NODE_VAE_CODER_ISA", isa, 1);
    body();
  }
  unsetenv("NODE_VAE_CODER_ISA");
#endif
  body();
}

// What the coder writes is part of the archive format: these numbers hold on every processor and
// never change. Run under emulated processors by test/codecs/processors.mjs.
void TestGolden() {
  constexpr uint64_t kExpected[] = {
      0x3E8C1EE7CEEB4C1Au, 0xEA6C97A82126E85Fu, 0xEA98C87DCC6E20D2u,
      0x15D216AB5C639FFCu, 0x8AE6714B3B220C20u, 0xBF5993062C60BDCEu,
      // Of two levels, and of three.
      0x2491601B5499A7FEu, 0xB7797C0F721D28A7u};
  for (uint64_t which = 0; which < std::size(kExpected); ++which) {
    const RandomModel source(100 + which, which < 6 ? 1 : which - 4);
    WithEveryIsa([&] {
      const ItemModel model(source.spec());
      TestRandom random(200 + which);
      const size_t count = 50;
      std::vector<uint8_t> items(count * model.item_size());
      for (uint8_t& value : items) value = static_cast<uint8_t>(random.Below(3) == 0 ? random.Below(256) : 0);
      uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
      const std::vector<uint8_t> chunk = ChunkCodec(model).Encode(items.data(), count);
      for (const uint8_t byte : chunk) hash = (hash ^ byte) * 0x100000001B3u;
      if (hash != kExpected[which]) std::fprintf(stderr, "golden %d: 0x%016llX\n", static_cast<int>(which), static_cast<unsigned long long>(hash));
      CHECK(hash == kExpected[which]);
      std::vector<uint8_t> decoded(items.size());
      ChunkCodec(model).Decode(chunk, count, decoded.data());
      CHECK(decoded == items);
    });
  }
}

// Kernels for every processor give the same numbers as the plain loop.
void TestKernels() {
  TestRandom random(5);
  std::vector<MatrixKernel> kernels = {ChooseMatrixKernel()};
#if defined(NODE_VAE_CODER_X86)
  kernels.push_back(MatrixKernelSse2);
  if (__builtin_cpu_supports("avx2")) kernels.push_back(MatrixKernelAvx2);
#endif
  for (int round = 0; round < 200; ++round) {
    const size_t rows = 1 + random.Below(20);
    const size_t pairs = 1 + random.Below(40);
    const size_t tiles = 1 + random.Below(5);
    std::vector<int16_t> inputs(rows * pairs * 2);
    std::vector<int16_t> packed(tiles * pairs * 2 * kTile);
    // Large numbers: pairs of products near 2^31, whose instruction must not saturate.
    const uint64_t range = pairs == 1 ? 65534 : 8192;
    for (int16_t& value : inputs) value = static_cast<int16_t>(static_cast<int64_t>(random.Below(range + 1)) - static_cast<int64_t>(range / 2));
    for (int16_t& value : packed) value = static_cast<int16_t>(static_cast<int64_t>(random.Below(range + 1)) - static_cast<int64_t>(range / 2));
    std::vector<int32_t> expected(rows * tiles * kTile);
    MatrixKernelGeneric(inputs.data(), pairs * 2, rows, packed.data(), pairs, tiles, expected.data());
    for (const MatrixKernel kernel : kernels) {
      std::vector<int32_t> sums(expected.size(), 7);
      kernel(inputs.data(), pairs * 2, rows, packed.data(), pairs, tiles, sums.data());
      CHECK(sums == expected);
    }
  }
}

// Layers of every width, on rows from empty to full, give what the plain sums give, and write no further than they may.
void TestDense() {
  TestRandom random(6);
  for (int round = 0; round < 250; ++round) {
    // Once more than 16 bits can number.
    const size_t inputs = round == 249 ? 66000 : 1 + random.Below(round % 5 == 0 ? 400 : 100);
    const size_t outputs = 1 + random.Below(round % 3 == 0 ? 330 : 40);
    const size_t rows = 1 + random.Below(37);
    const auto number = [&](int64_t most) { return static_cast<int64_t>(random.Below(2 * static_cast<uint64_t>(most) + 1)) - most; };
    // Sums near 2^31, and shifts that leave 16 bits of them or much less.
    const int64_t most_input = round % 2 == 0 ? 4095 : 32767;
    const int64_t most_weight = std::clamp<int64_t>((int64_t{1} << 31) / (most_input + 1) / static_cast<int64_t>(inputs) - 1, 1, 32767);
    std::vector<int16_t> weights(inputs * outputs);
    for (int16_t& weight : weights) weight = static_cast<int16_t>(number(most_weight));
    std::vector<int32_t> bias(outputs);
    std::vector<uint8_t> shift(outputs);
    const bool even = random.Below(2) == 0;
    for (size_t o = 0; o < outputs; ++o) {
      bias[o] = static_cast<int32_t>(number(10000));
      shift[o] = static_cast<uint8_t>(even ? 11 : random.Below(13));
    }
    // Of the 66000, weights of 0 leave room for the others' sums.
    if (round == 249) {
      for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int16_t>(i % 97 == 0 ? number(40) : 0);
    }
    const auto low = static_cast<int16_t>(random.Below(2) == 0 ? 0 : -static_cast<int>(random.Below(32769)));
    const auto high = static_cast<int16_t>(random.Below(32768));
    const DenseSpec spec{inputs, outputs, weights, bias, shift, low, high};
    const size_t stride = inputs + 1 + random.Below(40);
    std::vector<int16_t> from(rows * stride);
    // From rows of zeros to rows without one.
    const uint64_t kept = random.Below(9);
    for (int16_t& value : from) value = static_cast<int16_t>(random.Below(8) < kept ? number(most_input) : 0);
    const size_t room = outputs + random.Below(40);
    const size_t to_stride = room + random.Below(3);
    constexpr int16_t kUntouched = 0x5A5A;
    std::vector<int32_t> expected(rows * outputs);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t o = 0; o < outputs; ++o) {
        int64_t sum = bias[o] + (shift[o] == 0 ? 0 : int64_t{1} << (shift[o] - 1));
        for (size_t i = 0; i < inputs; ++i) sum += int64_t{weights[o * inputs + i]} * from[r * stride + i];
        expected[r * outputs + o] = static_cast<int32_t>(std::clamp<int64_t>(sum >> shift[o], low, high));
      }
    }
    WithEveryIsa([&] {
      const Dense dense("layer", spec, std::vector<int32_t>(inputs, static_cast<int32_t>(most_input)));
      std::vector<int16_t> to(rows * to_stride, kUntouched);
      std::vector<uint64_t> scratch(dense.scratch(rows));
      dense.Run({from.data(), stride, rows, to.data(), to_stride, room}, scratch.data());
      for (size_t r = 0; r < rows; ++r) {
        for (size_t o = 0; o < outputs; ++o) CHECK(to[r * to_stride + o] == expected[r * outputs + o]);
        for (size_t o = room; o < to_stride; ++o) CHECK(to[r * to_stride + o] == kUntouched);
      }
      const size_t output = outputs - 1;
      const DenseOutput one(spec, output);
      std::vector<int16_t> wide(rows * (one.reach() + stride));
      for (size_t r = 0; r < rows; ++r) std::copy_n(from.data() + r * stride, stride, wide.data() + r * (one.reach() + stride));
      std::vector<int32_t> ones(rows);
      one.Run(wide.data(), one.reach() + stride, rows, ones.data());
      for (size_t r = 0; r < rows; ++r) CHECK(ones[r] == expected[r * outputs + output]);
    });
  }
}

// A model whose numbers could overflow, or that would read what is not decoded yet, is refused.
void TestModelRefusesNonsense() {
  const auto refused = [](auto change) {
    RandomModel source(8);
    ItemModelSpec spec = source.spec();
    change(spec);
    return ThrowsFormat([&] { ItemModel model(spec); });
  };
  CHECK(!refused([](ItemModelSpec&) {}));
  CHECK(refused([](ItemModelSpec& spec) { spec.neighbours[0] = {0, 0}; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.neighbours[0] = {0, 3}; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.neighbours[0] = {-1, -3}; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.neighbours[0] = {1000000, 0}; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.height = 0; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.height += 1; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.width = size_t{1} << 19; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.latent_bits = 12; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.latents = 0; }));
  CHECK(refused([](ItemModelSpec& spec) { spec.encoder.clear(); }));
  CHECK(refused([](ItemModelSpec& spec) { spec.local.pop_back(); }));
  CHECK(refused([](ItemModelSpec& spec) { std::swap(spec.encoder[0].low, spec.encoder[0].high); }));
  const auto refused_levels = [](auto change) {
    RandomModel source(8, 3);
    ItemModelSpec spec = source.spec();
    change(spec.levels);
    return ThrowsFormat([&] { ItemModel model(spec); });
  };
  using Levels = std::vector<LevelSpec>;
  CHECK(!refused_levels([](Levels&) {}));
  CHECK(!refused_levels([](Levels& levels) { levels.pop_back(); }));
  CHECK(refused_levels([](Levels& levels) { levels.erase(levels.begin()); }));
  CHECK(refused_levels([](Levels& levels) { levels.insert(levels.end(), 40, levels.back()); }));
  CHECK(refused_levels([](Levels& levels) { levels[0].latents = 0; }));
  CHECK(refused_levels([](Levels& levels) { levels[0].latents += 1; }));
  CHECK(refused_levels([](Levels& levels) { levels[1].latents = size_t{1} << 40; }));
  CHECK(refused_levels([](Levels& levels) { levels[0].encoder.clear(); }));
  CHECK(refused_levels([](Levels& levels) { levels[1].prior.clear(); }));
  CHECK(refused_levels([](Levels& levels) { levels[0].encoder.pop_back(); }));
  CHECK(refused_levels([](Levels& levels) { std::swap(levels[0].encoder, levels[0].prior); }));
  CHECK(refused_levels([](Levels& levels) { levels[1].prior[0].outputs -= 1; }));
  CHECK(refused_levels([](Levels& levels) { levels[1].prior[0].weights = {}; }));
  static const std::vector<uint8_t> shifts(100000, 31);
  CHECK(refused_levels([](Levels& levels) { levels[0].prior[0].shift = std::span(shifts).first(levels[0].prior[0].outputs); }));
  CHECK(refused([](ItemModelSpec& spec) { spec.encoder[0].shift = std::span(shifts).first(spec.encoder[0].outputs); }));
  static const std::vector<int32_t> bias(100000, INT32_MIN);
  CHECK(refused([](ItemModelSpec& spec) { spec.local[0].bias = std::span(bias).first(spec.local[0].outputs); }));
  CHECK(refused_levels([](Levels& levels) { levels[1].encoder[0].bias = std::span(bias).first(levels[1].encoder[0].outputs); }));
  static const std::vector<int16_t> heavy(1000000, INT16_MAX);
  CHECK(refused([](ItemModelSpec& spec) {
    DenseSpec& layer = spec.local[1];
    CHECK(layer.inputs * 4095 * INT16_MAX > INT32_MAX);
    layer.weights = std::span(heavy).first(layer.inputs * layer.outputs);
  }));
}

// Values from the middle of a table to far beyond it come back, and nothing is left of the message.
void CheckTable(const SymbolTable& table) {
  std::vector<int32_t> values;
  for (int32_t value = -SymbolTable::kMostOwn - 20; value <= SymbolTable::kMostOwn + 20; ++value) values.push_back(value);
  for (const int32_t far : {-SymbolTable::kMostValue, SymbolTable::kMostValue, 4096, -4095}) values.push_back(far);
  std::vector<CodedSymbol> symbols;
  for (const int32_t value : values) table.Append(value, symbols);
  RansStack message(1);
  for (size_t i = symbols.size(); i-- > 0;) message.Push(0, symbols[i].interval, symbols[i].precision);
  for (const int32_t value : values) CHECK(table.Pop(message) == value);
  CHECK(message.IsEmpty());
  // Intervals lie side by side from 0 to 2^24, the escape's last.
  uint64_t next = 0;
  for (int32_t value = table.low(); value <= table.high() + 1; ++value) {
    symbols.clear();
    table.Append(value, symbols);
    CHECK(symbols[0].interval.start == next && symbols[0].interval.size >= 1);
    next += symbols[0].interval.size;
  }
  CHECK(next == uint64_t{1} << kPrecision);
}

void TestSymbolTables() {
  for (int scale = 0; scale < SymbolTable::kScales; ++scale) CheckTable(SymbolTable::Logistic(scale));
  // Narrow scales give nearly everything to 0, wide ones do not.
  std::vector<CodedSymbol> zero;
  SymbolTable::Logistic(0).Append(0, zero);
  SymbolTable::Logistic(SymbolTable::kScales - 1).Append(0, zero);
  CHECK(zero[0].interval.size > 0.999 * kUnit && zero[1].interval.size < 0.002 * kUnit);
  TestRandom random(31);
  for (int round = 0; round < 40; ++round) {
    SymbolTable::Component parts[3];
    const auto share = static_cast<int32_t>(random.Below(1 << 14));
    for (SymbolTable::Component& part : parts) {
      part = {0, static_cast<int32_t>(random.Below(1 << 14)) - (1 << 13), static_cast<int32_t>(random.Below(6145)) - 3072};
    }
    parts[0].weight = share;
    parts[2].weight = (1 << 14) - share;
    CheckTable(SymbolTable::Mixture(parts));
  }
  const SymbolTable::Component light[] = {{100, 0, 0}};
  CHECK(ThrowsFormat([&] { SymbolTable::Mixture(light); }));
}

// FNV-1a, 64 bits.
uint64_t Digest(uint64_t hash, std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3u;
  return hash;
}

// Latents of random models come back as they were rounded; the same bytes on every processor.
void TestLatents() {
  uint64_t hash = 0xCBF29CE484222325u;
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    TestRandom random(1000 + seed);
    const RandomLatentModel model(seed);
    const LatentCodec codec(model.spec());
    const size_t height = 1 + random.Below(9);
    const size_t width = 1 + random.Below(11);
    const size_t level = random.Below(codec.levels());
    const auto draw = [&](double range) {
      return static_cast<float>((static_cast<double>(random.Below(1 << 20)) / (1 << 20) - 0.5) * range);
    };
    std::vector<float> latents(codec.Latents(height, width));
    for (float& value : latents) value = draw(random.Below(50) == 0 ? 5000 : 30);
    std::vector<float> hyper(codec.hyper_channels() * codec.HyperSide(height) * codec.HyperSide(width));
    if (!codec.hyperprior()) hyper.clear();
    for (float& value : hyper) value = draw(60);
    const std::vector<uint8_t> bytes = codec.Encode(latents, hyper, height, width, level);
    hash = Digest(hash, bytes);
    std::vector<float> decoded(latents.size());
    codec.Decode(bytes, height, width, level, decoded.data());
    for (size_t i = 0; i < latents.size(); ++i) CHECK(std::abs(decoded[i] - latents[i]) <= 0.501f);
    for (size_t cut = 0; cut < bytes.size(); cut += 3) {
      const std::span<const uint8_t> part(bytes.data(), cut);
      CHECK(ThrowsFormat([&] { codec.Decode(part, height, width, level, decoded.data()); }));
    }
    CHECK(ThrowsFormat([&] { codec.Decode(bytes, height, width, codec.levels(), decoded.data()); }));
  }
  if (hash != kLatentDigest) std::fprintf(stderr, "latents: 0x%016llX\n", static_cast<unsigned long long>(hash));
  CHECK(hash == kLatentDigest);
}

// Every distribution of samples has a share for each, side by side, and finds what lies where.
void TestSampleMixtures() {
  TestRandom random(77);
  for (int round = 0; round < 400; ++round) {
    const size_t components = 2 + random.Below(SampleMixture::kMaxComponents - 1);
    const auto most = static_cast<uint32_t>((uint64_t{2} << random.Below(16)) - 1 - random.Below(2));
    int16_t raw[3 * SampleMixture::kMaxComponents];
    for (int16_t& value : raw) value = static_cast<int16_t>(static_cast<int64_t>(random.Below(65536)) - 32768) >> random.Below(14);
    const auto anywhere = [&] { return static_cast<int32_t>(random.Below((uint64_t{most} << kFractionBits) + 1)); };
    const Surroundings around{anywhere(), anywhere(), static_cast<int32_t>(1 + random.Below(1 << random.Below(21)))};
    // Straight, bent, and with steps.
    ShareCurve curve;
    for (size_t i = 0; i <= ShareCurve::kBins; ++i) {
      const uint64_t straight = i << ShareCurve::kBinBits;
      const uint64_t bent = round % 3 == 1 ? (straight * straight) >> kPrecision : i < 9 ? 0 : straight;
      curve.edge[i] = static_cast<uint32_t>(round % 3 == 0 ? straight : bent);
    }
    const SampleMixture mixture(raw, components, around, most, curve);
    const uint32_t step = 1 + most / 2000;
    uint32_t end = 0;
    for (uint32_t value = 0; value <= most; value += step) {
      const SampleMixture::Place place = mixture.PlaceOf(value);
      const Interval interval = place.interval;
      CHECK(interval.size >= 1);
      CHECK(step > 1 || interval.start == end);
      end = interval.start + interval.size;
      for (const uint32_t position : {interval.start, end - 1}) {
        SampleMixture::Place found;
        CHECK(mixture.Find(position, &found) == value);
        CHECK(found.interval.start == interval.start && found.interval.size == interval.size);
        CHECK(found.from == place.from && found.to == place.to);
      }
    }
    const Interval last = mixture.PlaceOf(most).interval;
    CHECK(last.start + last.size == 1U << kPrecision);
  }
}

template <typename Sample>
uint64_t CodePhotograph(const PhotoModel& model, const TileShape& shape, uint64_t seed, uint64_t hash) {
  TestRandom random(seed);
  const int kind = static_cast<int>(seed % 6);
  const uint32_t limit = (1U << shape.bits) - 1;
  std::vector<Sample> samples(PhotoCodec::Samples(shape));
  for (size_t i = 0; i < samples.size(); ++i) {
    const size_t x = i / shape.channels % shape.width;
    const size_t y = i / shape.channels / shape.width;
    // Slopes with a little noise, anything at all, a few values far apart, one value, slopes with gaps of their own in
    // each channel.
    const uint64_t slope = (x * 5 + y * 3) * (limit / 255 + 1) / 2 + random.Below(limit / 32 + 2);
    const uint64_t few = random.Below(3) * (limit / 2);
    const uint64_t value = kind == 0 ? random.Next() : kind == 1 ? few : kind == 2 ? limit / 3 : slope;
    const uint64_t step = kind == 5 ? 3 + i % shape.channels : 1;
    samples[i] = static_cast<Sample>((kind == 1 || kind == 2 ? value : value & limit) / step * step);
  }
  PhotoCodec codec(model);
  for (size_t way = 0; way < 2 * model.efforts(); ++way) {
    const PhotoCodec::Options options{way / 2, way % 2 == 0};
    const std::vector<uint8_t> bytes = codec.Encode(std::span<const Sample>(samples), shape, options);
    hash = Digest(hash, bytes);
    std::vector<Sample> decoded(samples.size());
    codec.Decode(bytes, shape, std::span(decoded));
    CHECK(decoded == samples);
    for (size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 3) {
      CHECK(ThrowsFormat([&] { codec.Decode(std::span(bytes.data(), cut), shape, std::span(decoded)); }));
    }
  }
  return hash;
}

// Tiles of every kind come back, under random models; the same bytes on every processor.
void TestPhotographs() {
  uint64_t hash = 0xCBF29CE484222325u;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const RandomPhotoModel random_model(seed);
    const PhotoModel model(random_model.spec());
    TestRandom random(500 + seed);
    TileShape shape;
    shape.width = 1 + random.Below(seed % 4 == 0 ? 200 : 50);
    shape.height = 1 + random.Below(seed % 3 == 0 ? 60 : 30);
    shape.channels = 1 + random.Below(4);
    shape.bits = 1 + static_cast<int>(random.Below(16));
    hash = shape.bits > 8 ? CodePhotograph<uint16_t>(model, shape, seed, hash)
                          : CodePhotograph<uint8_t>(model, shape, seed, hash);
  }
  if (hash != kPhotoDigest) std::fprintf(stderr, "photographs: 0x%016llX\n", static_cast<unsigned long long>(hash));
  CHECK(hash == kPhotoDigest);
  const RandomPhotoModel random_model(3);
  const PhotoModel model(random_model.spec());
  PhotoCodec codec(model);
  // Random bytes: refused, or by chance a tile, but nothing is read or written outside.
  TestRandom random(9);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint8_t> bytes(8 + 4 * random.Below(30));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
    bytes[7] |= 1;
    const TileShape shape{1 + random.Below(9), 1 + random.Below(9), 1 + random.Below(4), 1 + static_cast<int>(random.Below(8))};
    std::vector<uint8_t> samples(PhotoCodec::Samples(shape));
    ThrowsFormat([&] { codec.Decode(bytes, shape, std::span(samples)); });
  }
  for (const auto& change : {+[](PhotoModelSpec& spec) { spec.components = 1; },
                             +[](PhotoModelSpec& spec) { spec.roles[1].prior.pop_back(); },
                             +[](PhotoModelSpec& spec) { spec.roles[2].prior[1] += 1; },
                             +[](PhotoModelSpec& spec) { spec.roles[3].networks.clear(); },
                             +[](PhotoModelSpec& spec) { spec.roles[0].networks[0].pop_back(); }}) {
    PhotoModelSpec spec = random_model.spec();
    change(spec);
    CHECK(ThrowsFormat([&] { PhotoModel{spec}; }));
  }
}

}  // namespace
}  // namespace node_vae::coder

int main() {
  using namespace node_vae::coder;
  TestDistributions();
  TestMixtureFormula();
  TestNormalIsCentred();
  TestStack();
  TestPopThenPush();
  TestStackRefusesDamage();
  TestKernels();
  TestDense();
  TestChunks();
  TestLevels();
  TestGolden();
  TestModelRefusesNonsense();
  TestSymbolTables();
  TestLatents();
  TestSampleMixtures();
  TestPhotographs();
  std::printf("%d checks passed\n", checks);
  return 0;
}
