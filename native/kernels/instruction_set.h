#pragma once

namespace node_vae {

// Sets of instructions that kernels are compiled for, each a superset of the one before.
enum class InstructionSet { kGeneric, kAvx2, kAvx512, kAvx512Vnni };

// The best that this processor has; the environment variable NODE_VAE_KERNELS_ISA (generic, avx2, avx512) sets a limit.
InstructionSet ChooseInstructionSet();

}  // namespace node_vae
