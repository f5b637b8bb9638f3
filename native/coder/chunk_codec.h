#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "coder/item_model.h"
#include "coder/rans.h"

// A chunk of items to bytes and back, by bits-back coding with ANS (Townsend, Bird, Barber 2019,
// arXiv:1901.04866).
//
// Items are coded in waves. A wave pops its latents from the message under their posterior, pushes
// its values under the likelihood, then pushes the latents under the prior; what it popped are bits
// of the waves before it. The first wave finds an empty message, so its latents are not sampled: it
// takes the bucket of the posterior's mean at a coarse precision and pays for it in full. The wave
// is small, which keeps that price small. Its mode is written, so that a wave that finds too few
// bits (blank items) can do the same.
//
// Where latents have several levels, they are coded in the order of Bit-Swap (Kingma, Abbeel, Ho 2019,
// arXiv:1905.06845, section 3): pop z1, push x, pop z2, push z1, ..., push zL. From the second level on
// the bits to pop are there already, pushed by the level below, so that only z1 must find bits of
// earlier waves, however many levels there are.
namespace node_vae::coder {

inline constexpr int kChunkLanes = 4;

// Says whether to stop; may be empty.
using StopCheck = std::function<bool()>;

class ChunkCodec {
 public:
  explicit ChunkCodec(const ItemModel& model)
      : model_(model), buckets_(model.levels()), latents_(model.levels()) {}

  // `items` holds `count` >= 1 items. Asks `stop` before each wave, and throws
  // Error(kAborted) when it says so.
  std::vector<uint8_t> Encode(const uint8_t* items, size_t count, const StopCheck& stop = {});
  // Throws Error(kFormat) when the bytes are not a chunk of `count` items of this very model.
  void Decode(std::span<const uint8_t> bytes, size_t count, uint8_t* items, const StopCheck& stop = {});

 private:
  struct Wave {
    size_t first;
    size_t count;
  };
  static std::vector<Wave> Waves(size_t count);

  void EncodeWave(const uint8_t* items, size_t count, RansStack& message, uint8_t& mode);
  // False where a level found too few bits to pop; the message is untouched if that was the first.
  bool CodeBitsBack(const uint8_t* items, size_t count, RansStack& message);
  void DecodeWave(uint8_t mode, size_t count, RansStack& message, uint8_t* items);
  void DecodeValues(size_t count, RansStack& message, uint8_t* items);
  // Buckets of the first posterior's means at `bits`, and the message with the wave coded by them alone:
  // what level 1 says is worth more than what choosing the others would cost.
  void CodeCoarse(const uint8_t* items, size_t count, int bits, RansStack& message);
  void PushValues(const uint8_t* items, size_t count, RansStack& message);
  // Room for as many of the local network's rows, and what it makes of them.
  void PrepareRows(size_t count);
  // Latents of a level as its buckets have them.
  void SetLatents(size_t level, size_t count, int bits);
  // Features of the values, from the latents of level 0.
  void SetFeatures(size_t count);
  // `parameters` (posterior_ or prior_) of a level -> its buckets, popped; or its buckets, pushed.
  void PopBuckets(size_t level, const std::vector<int16_t>& parameters, size_t count, RansStack& message);
  void PushBuckets(size_t level, const std::vector<int16_t>& parameters, size_t count, RansStack& message);
  void PopUniform(size_t level, int bits, size_t count, RansStack& message);
  void PushUniform(size_t level, int bits, size_t count, RansStack& message);
  // posterior_ of level 0.
  void SetFirstPosterior(const uint8_t* items, size_t count);
  // posterior_ of level >= 1, or prior_ of the level below it.
  void SetPosterior(size_t level, size_t count);
  void SetPrior(size_t level, size_t count);

  const ItemModel& model_;
  DenseStack::Scratch scratch_;
  LocalNetwork::Scratch local_;
  std::vector<int16_t> posterior_;
  std::vector<int16_t> prior_;
  // Of each level.
  std::vector<std::vector<uint32_t>> buckets_;
  std::vector<std::vector<int16_t>> latents_;
  std::vector<int16_t> features_;
  std::vector<int16_t> planes_;
  std::vector<int16_t> rows_;
  std::vector<uint32_t> zeros_;
  std::vector<uint32_t> which_;
  std::vector<int16_t> raw_;
  std::vector<int16_t> seldom_;
  std::vector<Interval> intervals_;
};

}  // namespace node_vae::coder
