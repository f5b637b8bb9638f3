#include "core/processor.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <thread>

namespace node_vae {
namespace {

std::atomic<int> said{0};

}  // namespace

int AvailableThreadsIfSaid() noexcept { return said.load(std::memory_order_relaxed); }

int AvailableThreads() noexcept {
  const int threads = AvailableThreadsIfSaid();
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void SetAvailableThreads(int threads) noexcept { said.store(std::max(0, threads), std::memory_order_relaxed); }

#if defined(__linux__)

int CurrentProcessor() noexcept { return sched_getcpu(); }

void LeaveProcessor(int processor) noexcept {
  cpu_set_t allowed;
  if (processor < 0 || processor >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(processor, &others);
  if (CPU_COUNT(&others) == 0 || CPU_EQUAL(&others, &allowed)) return;
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

#else

int CurrentProcessor() noexcept { return -1; }
void LeaveProcessor(int) noexcept {}

#endif

}  // namespace node_vae
