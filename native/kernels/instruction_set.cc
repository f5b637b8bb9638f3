#include "kernels/instruction_set.h"

#include <cstdlib>
#include <cstring>

namespace node_vae {

InstructionSet ChooseInstructionSet() {
  static const InstructionSet chosen = [] {
#if defined(NODE_VAE_KERNELS_X86)
    const char* limit = std::getenv("NODE_VAE_KERNELS_ISA");
    const auto is = [limit](const char* name) { return limit != nullptr && std::strcmp(limit, name) == 0; };
    if (is("generic")) return InstructionSet::kGeneric;
    __builtin_cpu_init();
    if (!is("avx2") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
      const bool vnni = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
      return vnni ? InstructionSet::kAvx512Vnni : InstructionSet::kAvx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return InstructionSet::kAvx2;
#endif
    return InstructionSet::kGeneric;
  }();
  return chosen;
}

}  // namespace node_vae
