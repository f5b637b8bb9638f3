#pragma once

namespace node_vae {

// The processor that this thread runs on; −1 where that cannot be known.
int CurrentProcessor() noexcept;

// Moves this thread to any other processor it may use, and leaves it free to move on. A thread that spins keeps the
// processor it happened to wake on; where that is the one of the thread it works for, neither gets on.
void LeaveProcessor(int processor) noexcept;

}  // namespace node_vae
