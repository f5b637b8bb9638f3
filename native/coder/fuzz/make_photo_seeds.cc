// Writes tiles that decode, of several shapes and kinds of samples, to start fuzz_photo.cc from.
#include <fstream>
#include <string>

#include "coder/photo/photo_codec.h"
#include "coder/test/random_model.h"

namespace {

template <typename Sample>
void Write(const std::string& folder, uint8_t which, uint8_t width, uint8_t height, uint8_t kind) {
  using namespace node_vae::coder;
  const RandomPhotoModel numbers(1 + which % 4);
  const PhotoModel model(numbers.spec());
  const TileShape shape{size_t{1} + width, size_t{1} + height, size_t{1} + kind % 4, 1 + (kind >> 2) % 16};
  TestRandom random(which + 4 * kind);
  std::vector<Sample> samples(PhotoCodec::Samples(shape));
  const uint32_t most = (1U << shape.bits) - 1;
  const uint64_t step = which % 3 == 0 ? 1 : which % 3 == 1 ? 5 : most / 2 + 1;
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<Sample>((i / shape.channels * 3 + random.Below(most / 16 + 2)) % (most + 1) / step * step);
  }
  PhotoCodec codec(model);
  for (const bool choose : {true, false}) {
    const std::vector<uint8_t> tile = codec.Encode(std::span<const Sample>(samples), shape, {.effort = 0, .choose = choose});
    std::ofstream file(folder + "/photo-" + std::to_string(which) + "-" + std::to_string(kind) + (choose ? "-listed" : "-first"),
                       std::ios::binary);
    for (const uint8_t byte : {which, width, height, kind}) file.put(static_cast<char>(byte));
    file.write(reinterpret_cast<const char*>(tile.data()), static_cast<std::streamsize>(tile.size()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (uint8_t which = 0; which < 4; ++which) {
    for (uint8_t channels = 0; channels < 4; ++channels) {
      const auto few = static_cast<uint8_t>(channels + 4 * (which % 2 == 0 ? 7 : 2));
      const auto many = static_cast<uint8_t>(channels + 4 * (which % 2 == 0 ? 15 : 11));
      Write<uint8_t>(argv[1], which, 9, 7, few);
      Write<uint16_t>(argv[1], which, 5, 8, many);
    }
  }
  return 0;
}
