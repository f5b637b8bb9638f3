#include "coder/chunk_codec.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace node_vae::coder {

namespace {

// Written for a wave whose latents were popped from the message; smaller numbers are the bits of
// latents chosen by the encoder.
constexpr uint8_t kBitsBack = 255;

// Precisions tried for a wave that cannot get bits back. None at all is often the cheapest.
constexpr int kCoarseBits[] = {0, 2, 3};
constexpr int kMaxCoarseBits = 3;

// Values evaluated together when all of an item is known.
constexpr size_t kBlock = 48;

void CheckStop(const StopCheck& stop) {
  if (stop && stop()) throw Error(code::kAborted, "Aborted.");
}

// Size of a message in bits, finer than its words.
size_t Bits(const RansStack& message) { return message.HeadBits() + message.AvailableBits(); }

}  // namespace

std::vector<ChunkCodec::Wave> ChunkCodec::Waves(size_t count) {
  std::vector<Wave> waves;
  for (size_t first = 0; first < count;) {
    const size_t size = std::min<size_t>(waves.size() < 2 ? 8 : 16, count - first);
    waves.push_back({first, size});
    first += size;
  }
  return waves;
}

std::vector<uint8_t> ChunkCodec::Encode(const uint8_t* items, size_t count, const StopCheck& stop) {
  if (count == 0) throw Error(code::kShape, "A chunk must hold at least one item.");
  const std::vector<Wave> waves = Waves(count);
  std::vector<uint8_t> bytes;
  RansStack message(kChunkLanes);
  for (const Wave& wave : waves) {
    CheckStop(stop);
    uint8_t mode = 0;
    EncodeWave(items + wave.first * model_.item_size(), wave.count, message, mode);
    bytes.push_back(mode);
  }
  const std::vector<uint8_t> coded = message.Serialize();
  bytes.insert(bytes.end(), coded.begin(), coded.end());
  return bytes;
}

void ChunkCodec::Decode(std::span<const uint8_t> bytes, size_t count, uint8_t* items, const StopCheck& stop) {
  const std::vector<Wave> waves = Waves(count);
  if (count == 0 || bytes.size() < waves.size()) {
    throw Error(code::kFormat, "A coded chunk is shorter than its own header: it is truncated or damaged.");
  }
  RansStack message(kChunkLanes, bytes.subspan(waves.size()));
  for (size_t i = waves.size(); i-- > 0;) {
    CheckStop(stop);
    DecodeWave(bytes[i], waves[i].count, message, items + waves[i].first * model_.item_size());
  }
  // Decoding undoes every step of encoding, so what is left must be what encoding began with.
  if (!message.IsEmpty()) {
    throw Error(code::kFormat, "A coded chunk does not decode to its end: it is damaged, or was made with another model.");
  }
}

void ChunkCodec::SetLatents(size_t count, int bits) {
  const size_t stride = model_.latent_stride();
  latents_.assign(count * stride, 0);
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < model_.latents(); ++d) {
      latents_[i * stride + d] =
          static_cast<int16_t>(DiscretisedNormal::Centre(buckets_[i * model_.latents() + d], bits));
    }
  }
  features_.resize(count * model_.feature_size());
  model_.Decode(latents_.data(), count, features_.data(), scratch_);
}

void ChunkCodec::EncodeWave(const uint8_t* items, size_t count, RansStack& message, uint8_t& mode) {
  const size_t latents = model_.latents();
  posterior_.resize(count * 2 * latents);
  model_.Encode(items, count, posterior_.data(), scratch_);
  buckets_.resize(count * latents);

  if (message.AvailableBits() < count * latents * kPrecision) {
    RansStack best = message;
    size_t least = SIZE_MAX;
    for (const int bits : kCoarseBits) {
      RansStack attempt = message;
      CodeCoarse(items, count, bits, attempt);
      if (Bits(attempt) < least) {
        least = Bits(attempt);
        mode = static_cast<uint8_t>(bits);
        best = std::move(attempt);
      }
    }
    message = std::move(best);
    return;
  }

  mode = kBitsBack;
  const int bits = model_.latent_bits();
  for (size_t i = 0; i < count; ++i) {
    const int16_t* posterior = posterior_.data() + i * 2 * latents;
    for (size_t d = 0; d < latents; ++d) {
      buckets_[i * latents + d] = PopSymbol(message, static_cast<int>(i % kChunkLanes),
                                            DiscretisedNormal(posterior[d], posterior[latents + d], bits));
    }
  }
  SetLatents(count, bits);
  PushValues(items, count, message);
  for (size_t i = count; i-- > 0;) {
    for (size_t d = latents; d-- > 0;) {
      PushSymbol(message, static_cast<int>(i % kChunkLanes), buckets_[i * latents + d], Uniform{bits});
    }
  }
}

void ChunkCodec::CodeCoarse(const uint8_t* items, size_t count, int bits, RansStack& message) {
  const size_t latents = model_.latents();
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < latents; ++d) {
      buckets_[i * latents + d] = DiscretisedNormal::BucketOf(posterior_[i * 2 * latents + d], bits);
    }
  }
  SetLatents(count, bits);
  PushValues(items, count, message);
  if (bits == 0) return;
  for (size_t i = count; i-- > 0;) {
    for (size_t d = latents; d-- > 0;) {
      PushSymbol(message, static_cast<int>(i % kChunkLanes), buckets_[i * latents + d], Uniform{bits});
    }
  }
}

void ChunkCodec::PushValues(const uint8_t* items, size_t count, RansStack& message) {
  const size_t size = model_.item_size();
  const size_t stride = model_.local_stride();
  planes_.resize(model_.plane_size());
  rows_.assign(kBlock * stride, 0);
  raw_.resize(kBlock * model_.raw_size());
  intervals_.resize(count * size);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* item = items + i * size;
    const int16_t* features = features_.data() + i * model_.feature_size();
    model_.FillPlane(item, planes_.data());
    for (size_t begin = 0; begin < size; begin += kBlock) {
      const size_t block = std::min(kBlock, size - begin);
      for (size_t j = 0; j < block; ++j) {
        model_.Gather(planes_.data(), model_.PlaneIndex(begin + j), features, begin + j, rows_.data() + j * stride);
      }
      model_.RunLocal(rows_.data(), block, raw_.data(), scratch_, local_);
      for (size_t j = 0; j < block; ++j) {
        intervals_[(begin + j) * count + i] =
            model_.Mixture(raw_.data() + j * model_.raw_size()).IntervalOf(item[begin + j]);
      }
    }
  }
  for (size_t position = size; position-- > 0;) {
    for (size_t i = count; i-- > 0;) {
      message.Push(static_cast<int>(i % kChunkLanes), intervals_[position * count + i], kPrecision);
    }
  }
}

void ChunkCodec::DecodeWave(uint8_t mode, size_t count, RansStack& message, uint8_t* items) {
  const bool bits_back = mode == kBitsBack;
  if (!bits_back && mode > kMaxCoarseBits) {
    throw Error(code::kFormat, "A coded chunk has a wave of an unknown kind: it is damaged or of a newer version.");
  }
  const size_t latents = model_.latents();
  const int bits = bits_back ? model_.latent_bits() : mode;
  buckets_.assign(count * latents, 0);
  if (bits > 0) {
    for (size_t i = 0; i < count; ++i) {
      for (size_t d = 0; d < latents; ++d) {
        buckets_[i * latents + d] = PopSymbol(message, static_cast<int>(i % kChunkLanes), Uniform{bits});
      }
    }
  }
  SetLatents(count, bits);

  const size_t size = model_.item_size();
  const size_t stride = model_.local_stride();
  const size_t plane = model_.plane_size();
  planes_.assign(count * plane, 0);
  rows_.assign(count * stride, 0);
  raw_.resize(count * model_.raw_size());
  for (size_t position = 0; position < size; ++position) {
    const size_t at = model_.PlaneIndex(position);
    for (size_t i = 0; i < count; ++i) {
      model_.Gather(planes_.data() + i * plane, at, features_.data() + i * model_.feature_size(), position,
                    rows_.data() + i * stride);
    }
    model_.RunLocal(rows_.data(), count, raw_.data(), scratch_, local_);
    for (size_t i = 0; i < count; ++i) {
      const uint32_t value =
          PopSymbol(message, static_cast<int>(i % kChunkLanes), model_.Mixture(raw_.data() + i * model_.raw_size()));
      planes_[i * plane + at] = static_cast<int16_t>(value);
      items[i * size + position] = static_cast<uint8_t>(value);
    }
  }

  if (!bits_back) return;
  posterior_.resize(count * 2 * latents);
  model_.Encode(items, count, posterior_.data(), scratch_);
  for (size_t i = count; i-- > 0;) {
    const int16_t* posterior = posterior_.data() + i * 2 * latents;
    for (size_t d = latents; d-- > 0;) {
      PushSymbol(message, static_cast<int>(i % kChunkLanes), buckets_[i * latents + d],
                 DiscretisedNormal(posterior[d], posterior[latents + d], bits));
    }
  }
}

}  // namespace node_vae::coder
