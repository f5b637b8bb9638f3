#include "kernels/int8_product.h"

#include <cstdlib>
#include <cstring>

namespace node_vae {

const Int8Kernels* ChooseInt8Kernels() {
  static const Int8Kernels* const chosen = []() -> const Int8Kernels* {
#if defined(NODE_VAE_KERNELS_X86)
    const char* limit = std::getenv("NODE_VAE_KERNELS_ISA");
    const auto is = [limit](const char* name) { return limit != nullptr && std::strcmp(limit, name) == 0; };
    if (is("generic")) return nullptr;
    __builtin_cpu_init();
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
    if (!is("avx2") && avx512) return &kVnniInt8Kernels;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kAvx2Int8Kernels;
#endif
    return nullptr;
  }();
  return chosen;
}

}  // namespace node_vae
