// A tile of a photograph is whatever bytes a stranger sends. The first four choose a small model and the shape; the rest
// is the tile. Whatever decodes must code to something that decodes to the same, in both ways of telling its values.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "coder/photo/photo_codec.h"
#include "coder/test/random_model.h"

namespace node_vae::coder {
namespace {

constexpr uint64_t kModels = 4;

const PhotoModel& ModelOf(uint8_t byte) {
  // A model points into the numbers of what it was made of.
  static const std::vector<RandomPhotoModel>* numbers = [] {
    auto* made = new std::vector<RandomPhotoModel>();
    for (uint64_t seed = 1; seed <= kModels; ++seed) made->emplace_back(seed);
    return made;
  }();
  static const std::vector<PhotoModel>* models = [] {
    auto* made = new std::vector<PhotoModel>();
    made->reserve(kModels);
    for (const RandomPhotoModel& each : *numbers) made->emplace_back(each.spec());
    return made;
  }();
  return (*models)[byte % kModels];
}

template <typename Sample>
void Try(const PhotoModel& model, const TileShape& shape, std::span<const uint8_t> bytes) {
  PhotoCodec codec(model);
  std::vector<Sample> samples(PhotoCodec::Samples(shape));
  try {
    codec.Decode(bytes, shape, std::span(samples));
  } catch (const node_vae::Error&) {
    return;
  }
  for (const bool choose : {true, false}) {
    const std::vector<uint8_t> coded =
        codec.Encode(std::span<const Sample>(samples), shape, {.effort = bytes[0] % model.efforts(), .choose = choose});
    std::vector<Sample> again(samples.size());
    codec.Decode(coded, shape, std::span(again));
    if (again != samples) std::abort();
  }
}

}  // namespace
}  // namespace node_vae::coder

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace node_vae::coder;
  if (size < 5) return 0;
  const TileShape shape{size_t{1} + data[1] % 40, size_t{1} + data[2] % 40, size_t{1} + data[3] % 4, 1 + (data[3] >> 2) % 16};
  const std::span bytes(data + 4, size - 4);
  if (shape.bits > 8) {
    Try<uint16_t>(ModelOf(data[0]), shape, bytes);
  } else {
    Try<uint8_t>(ModelOf(data[0]), shape, bytes);
  }
  return 0;
}
