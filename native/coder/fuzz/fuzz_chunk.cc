// The coded chunk is whatever bytes a stranger sends. The first two choose a small model and the
// number of items; the rest is the chunk. Whatever decodes must also encode and decode again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "coder/chunk_codec.h"
#include "coder/test/random_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace node_vae::coder;
  if (size < 2) return 0;
  static const std::vector<ItemModel>* models = [] {
    auto* made = new std::vector<ItemModel>();
    for (uint8_t which = 0; which < kFuzzModels; ++which) made->emplace_back(FuzzModel(which).spec());
    return made;
  }();
  const ItemModel& model = (*models)[FuzzModelOf(data[0])];
  const size_t count = 1 + data[1] % 40;
  std::vector<uint8_t> items(count * model.item_size());
  ChunkCodec codec(model);
  try {
    codec.Decode(std::span(data + 2, size - 2), count, items.data());
  } catch (const node_vae::Error&) {
    return 0;
  }
  const std::vector<uint8_t> bytes = codec.Encode(items.data(), count);
  std::vector<uint8_t> again(items.size());
  codec.Decode(bytes, count, again.data());
  if (again != items) std::abort();
  return 0;
}
