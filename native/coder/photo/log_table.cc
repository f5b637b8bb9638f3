#include "coder/photo/log_table.h"

namespace node_vae::coder {

LogTable::LogTable() noexcept {
  int index = 0;
  for (uint32_t i = 0; i < 1U << kBits; ++i) {
    const uint32_t mantissa = ((1U << kBits) + i) << (15 - kBits);
    while (index < 255 && kExp2[index + 1] <= mantissa) ++index;
    table_[i] = static_cast<uint8_t>(index);
  }
  for (uint32_t size = 0; size < kSquashed; ++size) {
    squashed_[size] = static_cast<int16_t>((*this)(size + 64) - 6 * 256);
  }
}

const LogTable& LogTable::Get() {
  static const LogTable table;
  return table;
}

}  // namespace node_vae::coder
