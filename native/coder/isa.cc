#include "coder/isa.h"

#include <cstdlib>
#include <cstring>

namespace node_vae::coder {

Isa ChooseIsa() {
  [[maybe_unused]] const char* limit = std::getenv("NODE_VAE_CODER_ISA");
#if defined(NODE_VAE_CODER_X86)
  const auto allowed = [limit](const char* wanted) {
    // In rising order: a limit allows itself and whatever stands before it.
    constexpr const char* kOrder[] = {"generic", "sse2", "avx2", "avx512"};
    if (limit == nullptr) return true;
    for (const char* isa : kOrder) {
      if (std::strcmp(isa, wanted) == 0) return true;
      if (std::strcmp(isa, limit) == 0) return false;
    }
    return true;
  };
  __builtin_cpu_init();
  if (allowed("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vnni")) {
    return Isa::kAvx512;
  }
  if (allowed("avx2") && __builtin_cpu_supports("avx2")) return Isa::kAvx2;
  if (allowed("sse2")) return Isa::kSse2;
#elif defined(__aarch64__) && !defined(_MSC_VER)
  if (limit == nullptr || std::strcmp(limit, "generic") != 0) return Isa::kNeon;
#endif
  return Isa::kGeneric;
}

}  // namespace node_vae::coder
