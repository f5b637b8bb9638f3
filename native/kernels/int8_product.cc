#include "kernels/int8_product.h"

#include "kernels/instruction_set.h"

namespace node_vae {

const Int8Kernels* ChooseInt8Kernels() {
  switch (ChooseInstructionSet()) {
#if defined(NODE_VAE_KERNELS_X86)
    case InstructionSet::kAvx512Vnni:
      return &kVnniInt8Kernels;
    case InstructionSet::kAvx512:
    case InstructionSet::kAvx2:
      return &kAvx2Int8Kernels;
#endif
    default:
      return nullptr;
  }
}

}  // namespace node_vae
