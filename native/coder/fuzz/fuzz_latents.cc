// A coded picture is whatever bytes a stranger sends. The first five choose a small model, the size of
// the latents and the level; the rest is the message. Whatever decodes must code to something that
// decodes to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "coder/latent_codec.h"
#include "coder/test/random_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace node_vae::coder;
  if (size < 5) return 0;
  static const std::vector<LatentCodec>* codecs = [] {
    auto* made = new std::vector<LatentCodec>();
    for (uint64_t seed = 1; seed <= 4; ++seed) made->emplace_back(RandomLatentModel(seed).spec());
    return made;
  }();
  const LatentCodec& codec = (*codecs)[data[0] % codecs->size()];
  const size_t height = 1 + data[1] % 12;
  const size_t width = 1 + data[2] % 12;
  const size_t level = data[3] % 4;
  std::vector<float> latents(codec.Latents(height, width));
  try {
    codec.Decode(std::span(data + 5, size - 5), height, width, level, latents.data());
  } catch (const node_vae::Error&) {
    return 0;
  }
  // Any hyper-latents will do: they only say how the latents are coded.
  std::vector<float> hyper(codec.hyper_channels() * codec.HyperSide(height) * codec.HyperSide(width));
  if (!codec.hyperprior()) hyper.clear();
  for (float& value : hyper) value = static_cast<float>(data[4] % 32) - 16;
  std::vector<float> again(latents.size());
  std::vector<float> rounded = latents;
  codec.Decode(codec.Encode(rounded, hyper, height, width, level), height, width, level, again.data());
  if (rounded != again) std::abort();
  for (size_t i = 0; i < latents.size(); ++i) {
    // Means differ with the hyper-latents, so rounding may; by no more than a step's half.
    if (latents[i] - again[i] > 0.51f || again[i] - latents[i] > 0.51f) std::abort();
  }
  return 0;
}
