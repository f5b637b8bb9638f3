// Writes chunks that decode, one for each model of fuzz_chunk.cc, to start fuzzing from.
#include <fstream>
#include <string>

#include "coder/chunk_codec.h"
#include "coder/test/random_model.h"

int main(int argc, char** argv) {
  using namespace node_vae::coder;
  if (argc != 2) return 2;
  TestRandom random(21);
  for (uint8_t which = 0; which < kFuzzModels; ++which) {
    const RandomModel source = FuzzModel(which);
    const ItemModel model(source.spec());
    for (const uint8_t count : {1, 9, 33}) {
      std::vector<uint8_t> items(count * model.item_size());
      for (uint8_t& value : items) value = static_cast<uint8_t>(random.Below(3) == 0 ? random.Below(256) : 0);
      const std::vector<uint8_t> chunk = ChunkCodec(model).Encode(items.data(), count);
      std::ofstream file(std::string(argv[1]) + "/seed-" + std::to_string(which) + "-" + std::to_string(count),
                         std::ios::binary);
      file.put(static_cast<char>(FuzzByteOf(which))).put(static_cast<char>(count - 1));
      file.write(reinterpret_cast<const char*>(chunk.data()), static_cast<std::streamsize>(chunk.size()));
    }
  }
  return 0;
}
