// Runs one hot loop of the addon: hot_loops NAME ROUNDS. Without arguments it prints each name and what one round
// has of the loop's unit. What a round costs is the difference between two runs; see run.ts.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "coder/chunk_codec.h"
#include "coder/rans.h"
#include "coder/test/random_model.h"
#include "kernels/convolution.h"
#include "kernels/group_norm.h"
#include "random/distributions.h"
#include "training/kernels.h"

namespace {

using namespace node_vae;

constexpr size_t kCount = 1 << 14;

// Everything on the thread that asks.
class Serial final : public Parallel {
 public:
  void For(size_t count, const std::function<void(size_t)>& body) override {
    for (size_t i = 0; i < count; ++i) body(i);
  }
  float* AllocateFloats(size_t count) override {
    return static_cast<float*>(std::aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64));
  }
  void FreeFloats(float* memory) noexcept override { std::free(memory); }
};

Serial serial;

std::vector<float> Normals(size_t count, uint32_t stream) {
  std::vector<float> values(count);
  FillNormal(values.data(), count, {1, stream, 0});
  return values;
}

ConvShape Convolution() {
  ConvShape shape;
  shape.batch = 2;
  shape.image_channels = 32;
  shape.map_channels = 32;
  shape.image = shape.map = {1, 16, 16};
  shape.kernel = {1, 3, 3};
  shape.pad = {0, 1, 1};
  return shape;
}

size_t Products(const ConvShape& shape) {
  return static_cast<size_t>(shape.batch * shape.map_places() * shape.weight_count());
}

GroupNormShape Norm() { return {2, 32, 256, 8, Activation::kSilu}; }

struct Chunk {
  coder::RandomModel source{103};
  coder::ItemModel model{source.spec()};
  size_t count = 100;
  std::vector<uint8_t> items;

  Chunk() {
    coder::TestRandom random(5);
    items.resize(count * model.item_size());
    for (uint8_t& value : items) value = static_cast<uint8_t>(random.Below(64));
  }
};

struct Loop {
  const char* name;
  size_t units;  // of one round
  std::function<std::function<void()>()> prepare;
};

std::vector<Loop> Loops() {
  return {
      {"adam, a parameter", kCount,
       [] {
         return [p = Normals(kCount, 1), g = Normals(kCount, 2), m = std::vector<float>(kCount),
                 v = std::vector<float>(kCount)]() mutable {
           kernels::Adam(p.data(), g.data(), m.data(), v.data(),
                         {1, 0, 1, 0.1f, 0.999f, 0.001f, 1e-3f, 1, 1e-8f}, kCount, false);
         };
       }},
      {"rows of bytes, a value", kCount,
       [] {
         return [in = std::vector<uint8_t>(kCount, 7), out = std::vector<float>(kCount)]() mutable {
           kernels::Affine(out.data(), in.data(), 1.0f / 255, 0, kCount);
         };
       }},
      {"binarised rows, a value", kCount,
       [] {
         return [values = std::vector<float>(kCount, 0.4f), draws = std::vector<float>(kCount)]() mutable {
           FillUniform(draws.data(), kCount, {1, 2, 3});
           kernels::Binarise(values.data(), draws.data(), kCount);
         };
       }},
      {"normal draws, a value", kCount,
       [] {
         return [out = std::vector<float>(kCount)]() mutable { FillNormal(out.data(), kCount, {1, 2, 3}); };
       }},
      {"convolution, a product", Products(Convolution()),
       [] {
         const ConvShape shape = Convolution();
         return [sum = ConvSum(shape, ConvSum::Result::kMap, ChooseSimdKernels()), x = Normals(2 * 32 * 256, 1),
                 w = Normals(static_cast<size_t>(shape.weight_count()), 2),
                 y = std::vector<float>(2 * 32 * 256)]() mutable {
           sum.Run(x.data(), w.data(), nullptr, y.data(), serial);
         };
       }},
      {"weight gradient, a product", Products(Convolution()),
       [] {
         const ConvShape shape = Convolution();
         return [gradient = ConvWeightGradient(shape, ChooseSimdKernels()), x = Normals(2 * 32 * 256, 1),
                 y = Normals(2 * 32 * 256, 2),
                 w = std::vector<float>(static_cast<size_t>(shape.weight_count()))]() mutable {
           gradient.Run(x.data(), y.data(), w.data(), nullptr, serial);
         };
       }},
      {"group norm, a value", 2 * 32 * 256,
       [] {
         return [x = Normals(2 * 32 * 256, 1), scale = Normals(32, 2), shift = Normals(32, 3),
                 y = std::vector<float>(2 * 32 * 256), mean = std::vector<float>(16),
                 inverse = std::vector<float>(16)]() mutable {
           GroupNormForward(ChooseSimdKernels(), Norm(), 1e-5f, x.data(), scale.data(), shift.data(), y.data(),
                            mean.data(), inverse.data(), serial);
         };
       }},
      {"dense layer, a product", 32 * 400 * 4 * kStrip,
       [] {
         return [x = Normals(32 * 400, 1), w = Normals(400 * 4 * kStrip, 2), bias = Normals(4 * kStrip, 3),
                 out = std::vector<float>(32 * 4 * kStrip)]() mutable {
           const SimdKernels& kernels = ChooseSimdKernels();
           for (size_t row = 0; row < 32; row += kernels.dense_rows) {
             const size_t rows = std::min(kernels.dense_rows, 32 - row);
             kernels.dense({x.data() + row * 400, 400, rows, 400, w.data(), bias.data(), 4,
                            out.data() + row * 4 * kStrip, 4 * kStrip});
           }
         };
       }},
      {"entropy coder, a symbol", kCount,
       [] {
         return [] {
           coder::RansStack message(4);
           for (size_t i = 0; i < kCount; ++i) {
             message.Push(static_cast<int>(i % 4), {static_cast<uint32_t>(i % 200 * 64), 64}, 16);
           }
           for (size_t i = kCount; i-- > 0;) {
             message.Pop(static_cast<int>(i % 4), {static_cast<uint32_t>(i % 200 * 64), 64}, 16);
           }
         };
       }},
      {"compress, a value", Chunk().items.size(),
       [] {
         auto chunk = std::make_shared<Chunk>();
         return [chunk] { coder::ChunkCodec(chunk->model).Encode(chunk->items.data(), chunk->count); };
       }},
      {"decompress, a value", Chunk().items.size(),
       [] {
         auto chunk = std::make_shared<Chunk>();
         return [chunk, bytes = coder::ChunkCodec(chunk->model).Encode(chunk->items.data(), chunk->count),
                 out = std::vector<uint8_t>(chunk->items.size())]() mutable {
           coder::ChunkCodec(chunk->model).Decode(bytes, chunk->count, out.data());
         };
       }},
  };
}

}  // namespace

int main(int argc, char** argv) {
  for (const Loop& loop : Loops()) {
    if (argc < 3) {
      std::printf("%zu\t%s\n", loop.units, loop.name);
    } else if (std::strcmp(loop.name, argv[1]) == 0) {
      const auto round = loop.prepare();
      for (int i = std::atoi(argv[2]); i > 0; --i) round();
      return 0;
    }
  }
  return argc < 3 ? 0 : 2;
}
