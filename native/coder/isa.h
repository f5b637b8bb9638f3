#pragma once

namespace node_vae::coder {

enum class Isa { kGeneric, kSse2, kAvx2, kAvx512, kNeon };

// The newest instructions that this processor has, of those that kernels are written for. NODE_VAE_CODER_ISA=generic|
// sse2|avx2|avx512 in the environment limits the choice, for tests that compare them; on arm64 it is generic or nothing.
Isa ChooseIsa();

}  // namespace node_vae::coder
