#pragma once

namespace node_vae {

// Gives the system what the heap keeps of memory that was freed. The heap of glibc keeps blocks of up to 32 MiB.
void GiveMemoryBack() noexcept;

}  // namespace node_vae
