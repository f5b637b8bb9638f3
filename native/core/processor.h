#pragma once

namespace node_vae {

// The processor that this thread runs on; −1 where that cannot be known.
int CurrentProcessor() noexcept;

// Threads that work which is spread over processors should have: what SetAvailableThreads() said, else one for each
// processor that this process may run on.
int AvailableThreads() noexcept;
// 0 where nothing was said: whoever knows the processors better, as ONNX Runtime does, decides.
int AvailableThreadsIfSaid() noexcept;
// Once, before any work: quotas and the environment are read by src/binding/threads.ts.
void SetAvailableThreads(int threads) noexcept;

// Moves this thread to any other processor it may use, and leaves it free to move on. A thread that spins keeps the
// processor it happened to wake on; where that is the one of the thread it works for, neither gets on.
void LeaveProcessor(int processor) noexcept;

}  // namespace node_vae
