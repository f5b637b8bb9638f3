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
constexpr size_t kBlockValues = 48;

// The share of 0 above which a value's mixture waits for being asked for.
constexpr uint32_t kMostlyZero = kUnit / 32 * 31;

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

void ChunkCodec::SetLatents(size_t level, size_t count, int bits) {
  const size_t latents = model_.latents(level);
  const size_t stride = model_.latent_stride(level);
  latents_[level].assign(count * stride, 0);
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < latents; ++d) {
      latents_[level][i * stride + d] =
          static_cast<int16_t>(DiscretisedNormal::Centre(buckets_[level][i * latents + d], bits));
    }
  }
}

void ChunkCodec::SetFeatures(size_t count) {
  features_.resize(count * model_.feature_size() + 7);
  model_.Decode(latents_[0].data(), count, features_.data(), scratch_);
}

void ChunkCodec::SetFirstPosterior(const uint8_t* items, size_t count) {
  posterior_.resize(count * 2 * model_.latents());
  model_.Encode(items, count, posterior_.data(), scratch_);
}

void ChunkCodec::SetPosterior(size_t level, size_t count) {
  posterior_.resize(count * 2 * model_.latents(level));
  model_.EncodeLevel(level, latents_[level - 1].data(), count, posterior_.data(), scratch_);
}

void ChunkCodec::SetPrior(size_t level, size_t count) {
  prior_.resize(count * 2 * model_.latents(level - 1));
  model_.PriorBelow(level, latents_[level].data(), count, prior_.data(), scratch_);
}

void ChunkCodec::PopBuckets(size_t level, const std::vector<int16_t>& parameters, size_t count, RansStack& message) {
  const size_t latents = model_.latents(level);
  buckets_[level].resize(count * latents);
  for (size_t i = 0; i < count; ++i) {
    const int16_t* of_item = parameters.data() + i * 2 * latents;
    for (size_t d = 0; d < latents; ++d) {
      const DiscretisedNormal distribution(of_item[d], of_item[latents + d], model_.latent_bits());
      buckets_[level][i * latents + d] = PopSymbol(message, static_cast<int>(i % kChunkLanes), distribution);
    }
  }
}

void ChunkCodec::PushBuckets(size_t level, const std::vector<int16_t>& parameters, size_t count, RansStack& message) {
  const size_t latents = model_.latents(level);
  for (size_t i = count; i-- > 0;) {
    const int16_t* of_item = parameters.data() + i * 2 * latents;
    for (size_t d = latents; d-- > 0;) {
      const DiscretisedNormal distribution(of_item[d], of_item[latents + d], model_.latent_bits());
      PushSymbol(message, static_cast<int>(i % kChunkLanes), buckets_[level][i * latents + d], distribution);
    }
  }
}

void ChunkCodec::PopUniform(size_t level, int bits, size_t count, RansStack& message) {
  const size_t latents = model_.latents(level);
  buckets_[level].assign(count * latents, 0);
  if (bits == 0) return;
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < latents; ++d) {
      buckets_[level][i * latents + d] = PopSymbol(message, static_cast<int>(i % kChunkLanes), Uniform{bits});
    }
  }
}

void ChunkCodec::PushUniform(size_t level, int bits, size_t count, RansStack& message) {
  if (bits == 0) return;
  const size_t latents = model_.latents(level);
  for (size_t i = count; i-- > 0;) {
    for (size_t d = latents; d-- > 0;) {
      PushSymbol(message, static_cast<int>(i % kChunkLanes), buckets_[level][i * latents + d], Uniform{bits});
    }
  }
}

void ChunkCodec::EncodeWave(const uint8_t* items, size_t count, RansStack& message, uint8_t& mode) {
  SetFirstPosterior(items, count);
  // A level above the first may find too few bits when the message has changed already. Not where there
  // are enough for all levels even if nothing were pushed between them, so that long messages are not copied.
  size_t most = 64 * kChunkLanes;
  for (size_t level = 0; level < model_.levels(); ++level) most += count * model_.latents(level) * kPrecision;
  const bool risky = model_.levels() > 1 && message.AvailableBits() < most;
  const RansStack before = risky ? message : RansStack(kChunkLanes);
  if (CodeBitsBack(items, count, message)) {
    mode = kBitsBack;
    return;
  }
  if (risky) {
    message = before;
    SetFirstPosterior(items, count);
  }

  RansStack attempt = message;
  RansStack best = message;
  size_t least = SIZE_MAX;
  for (const int bits : kCoarseBits) {
    attempt = message;
    CodeCoarse(items, count, bits, attempt);
    if (Bits(attempt) < least) {
      least = Bits(attempt);
      mode = static_cast<uint8_t>(bits);
      best = std::move(attempt);
    }
  }
  message = std::move(best);
}

bool ChunkCodec::CodeBitsBack(const uint8_t* items, size_t count, RansStack& message) {
  const int bits = model_.latent_bits();
  const size_t top = model_.levels() - 1;
  for (size_t level = 0; level <= top; ++level) {
    if (message.AvailableBits() < count * model_.latents(level) * kPrecision) return false;
    if (level > 0) SetPosterior(level, count);
    PopBuckets(level, posterior_, count, message);
    SetLatents(level, count, bits);
    if (level == 0) {
      SetFeatures(count);
      PushValues(items, count, message);
    } else {
      SetPrior(level, count);
      PushBuckets(level - 1, prior_, count, message);
    }
  }
  PushUniform(top, bits, count, message);
  return true;
}

void ChunkCodec::CodeCoarse(const uint8_t* items, size_t count, int bits, RansStack& message) {
  const size_t latents = model_.latents();
  buckets_[0].resize(count * latents);
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < latents; ++d) {
      buckets_[0][i * latents + d] = DiscretisedNormal::BucketOf(posterior_[i * 2 * latents + d], bits);
    }
  }
  SetLatents(0, count, bits);
  SetFeatures(count);
  PushValues(items, count, message);
  PushUniform(0, bits, count, message);
}

void ChunkCodec::PushValues(const uint8_t* items, size_t count, RansStack& message) {
  const LocalNetwork& local = model_.local();
  const size_t size = model_.item_size();
  planes_.resize(model_.plane_size());
  PrepareRows(kBlockValues);
  intervals_.resize(count * size);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* item = items + i * size;
    const int16_t* features = features_.data() + i * model_.feature_size();
    Interval* intervals = intervals_.data() + i * size;
    model_.FillPlane(item, planes_.data());
    for (size_t begin = 0; begin < size; begin += kBlockValues) {
      const size_t block = std::min(kBlockValues, size - begin);
      for (size_t j = 0; j < block; ++j) {
        model_.Gather(planes_.data(), model_.PlaneIndex(begin + j), features, begin + j, rows_.data() + j * local.stride());
      }
      local.Run(rows_.data(), block, zeros_.data(), local_);
      size_t others = 0;
      for (size_t j = 0; j < block; ++j) {
        intervals[begin + j] = {0, zeros_[j]};
        which_[others] = static_cast<uint32_t>(j);
        others += item[begin + j] != 0;
      }
      local.RunMixtures(rows_.data(), which_.data(), others, raw_.data(), local_);
      for (size_t k = 0; k < others; ++k) {
        const size_t j = which_[k];
        intervals[begin + j] = model_.Mixture(raw_.data() + k * local.raw_size(), zeros_[j]).IntervalOf(item[begin + j]);
      }
    }
  }
  for (size_t position = size; position-- > 0;) {
    for (size_t i = count; i-- > 0;) {
      message.Push(static_cast<int>(i % kChunkLanes), intervals_[i * size + position], kPrecision);
    }
  }
}

void ChunkCodec::PrepareRows(size_t count) {
  const LocalNetwork& local = model_.local();
  rows_.assign(count * local.stride(), 0);
  zeros_.resize(count);
  which_.resize(count + 1);
  raw_.resize(count * local.raw_size());
  seldom_.resize(local.raw_size());
}

void ChunkCodec::DecodeWave(uint8_t mode, size_t count, RansStack& message, uint8_t* items) {
  const bool bits_back = mode == kBitsBack;
  if (!bits_back && mode > kMaxCoarseBits) {
    throw Error(code::kFormat, "A coded chunk has a wave of an unknown kind: it is damaged or of a newer version.");
  }
  if (bits_back) {
    const int bits = model_.latent_bits();
    const size_t top = model_.levels() - 1;
    PopUniform(top, bits, count, message);
    for (size_t level = top; level > 0; --level) {
      SetLatents(level, count, bits);
      SetPrior(level, count);
      PopBuckets(level - 1, prior_, count, message);
      SetLatents(level - 1, count, bits);
      SetPosterior(level, count);
      PushBuckets(level, posterior_, count, message);
    }
    SetLatents(0, count, bits);
  } else {
    PopUniform(0, mode, count, message);
    SetLatents(0, count, mode);
  }
  SetFeatures(count);
  DecodeValues(count, message, items);
  if (!bits_back) return;
  SetFirstPosterior(items, count);
  PushBuckets(0, posterior_, count, message);
}

void ChunkCodec::DecodeValues(size_t count, RansStack& message, uint8_t* items) {
  const LocalNetwork& local = model_.local();
  const size_t size = model_.item_size();
  const size_t plane = model_.plane_size();
  planes_.assign(count * plane, 0);
  PrepareRows(count);
  for (size_t position = 0; position < size; ++position) {
    const size_t at = model_.PlaneIndex(position);
    for (size_t i = 0; i < count; ++i) {
      model_.Gather(planes_.data() + i * plane, at, features_.data() + i * model_.feature_size(), position,
                    rows_.data() + i * local.stride());
    }
    local.Run(rows_.data(), count, zeros_.data(), local_);
    // Mixtures that are likely to be asked for are made together. Lanes share the message's words, so that no value can
    // be decoded before its turn comes.
    size_t likely = 0;
    for (size_t i = 0; i < count; ++i) {
      which_[likely] = static_cast<uint32_t>(i);
      likely += zeros_[i] < kMostlyZero;
    }
    local.RunMixtures(rows_.data(), which_.data(), likely, raw_.data(), local_);
    const int16_t* made = raw_.data();
    for (size_t i = 0; i < count; ++i) {
      const int lane = static_cast<int>(i % kChunkLanes);
      const uint32_t zero = zeros_[i];
      const int16_t* raw = made;
      if (zero < kMostlyZero) made += local.raw_size();
      const uint32_t coded = message.Peek(lane, kPrecision);
      if (coded < zero) {
        message.Pop(lane, {0, zero}, kPrecision);
        items[i * size + position] = 0;
        continue;
      }
      if (zero >= kMostlyZero) {
        const auto which = static_cast<uint32_t>(i);
        local.RunMixtures(rows_.data(), &which, 1, seldom_.data(), local_);
        raw = seldom_.data();
      }
      Interval interval;
      const uint32_t value = model_.Mixture(raw, zero).Find(coded, &interval);
      message.Pop(lane, interval, kPrecision);
      planes_[i * plane + at] = static_cast<int16_t>(value);
      items[i * size + position] = static_cast<uint8_t>(value);
    }
  }
}

}  // namespace node_vae::coder
