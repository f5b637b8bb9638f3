#include "coder/rans.h"

#include <algorithm>

namespace node_vae::coder {

namespace {

uint64_t ReadLittleEndian(const uint8_t* bytes, int count) noexcept {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value |= uint64_t{bytes[i]} << (8 * i);
  return value;
}

void AppendLittleEndian(std::vector<uint8_t>& out, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void CheckLanes(int lanes) {
  if (lanes < 1 || lanes > RansStack::kMaxLanes) {
    throw Error(code::kFormat, "A coded message must have 1 to 64 lanes, not " + std::to_string(lanes) + ".");
  }
}

}  // namespace

RansStack::RansStack(int lanes) {
  CheckLanes(lanes);
  heads_.assign(static_cast<size_t>(lanes), kLow);
}

RansStack::RansStack(int lanes, std::span<const uint8_t> bytes) {
  CheckLanes(lanes);
  const size_t head_bytes = static_cast<size_t>(lanes) * 8;
  if (bytes.size() < head_bytes || (bytes.size() - head_bytes) % 4 != 0) {
    throw Error(code::kFormat, "A coded message of " + std::to_string(lanes) + " lanes cannot have " +
                                   std::to_string(bytes.size()) + " bytes: it is truncated or damaged.");
  }
  heads_.reserve(static_cast<size_t>(lanes));
  for (int lane = 0; lane < lanes; ++lane) {
    const uint64_t head = ReadLittleEndian(bytes.data() + lane * 8, 8);
    if (head < kLow) throw Error(code::kFormat, "A coded message begins with an impossible state: it is damaged.");
    heads_.push_back(head);
  }
  const size_t words = (bytes.size() - head_bytes) / 4;
  words_.reserve(words + 64);
  for (size_t i = 0; i < words; ++i) {
    words_.push_back(static_cast<uint32_t>(ReadLittleEndian(bytes.data() + head_bytes + i * 4, 4)));
  }
}

void RansStack::Exhausted() {
  throw Error(code::kFormat, "A coded message ended before its symbols did: it is truncated or damaged.");
}

bool RansStack::IsEmpty() const noexcept {
  return words_.empty() && std::all_of(heads_.begin(), heads_.end(), [](uint64_t head) { return head == kLow; });
}

std::vector<uint8_t> RansStack::Serialize() const {
  std::vector<uint8_t> out;
  out.reserve(SerializedBytes());
  for (const uint64_t head : heads_) AppendLittleEndian(out, head, 8);
  for (const uint32_t word : words_) AppendLittleEndian(out, word, 4);
  return out;
}

}  // namespace node_vae::coder
