#include "binding/state.h"

#include <algorithm>

#include "binding/errors.h"
#include "core/processor.h"

namespace node_vae {
namespace {

size_t CodingThreads() { return std::clamp<size_t>(static_cast<size_t>(AvailableThreads()), 2, 64); }

constexpr size_t kFileThreads = 4;

size_t RunThreads() { return std::clamp<size_t>(static_cast<size_t>(AvailableThreads()), 2, 8); }

}  // namespace

AddonState::AddonState(Napi::Env env)
    : completions(env), runs(completions, RunThreads()), trainings(completions, 256), loads(completions, 2), codings(completions, CodingThreads()), files(completions, kFileThreads), env_(env) {
  // After the thread-safe function was made, so that this hook runs before Node closes that.
  Check(env, napi_add_env_cleanup_hook(env, OnCleanup, this));
}

void AddonState::LimitThreads(int threads) {
  SetAvailableThreads(threads);
  runs.SetMost(RunThreads());
  codings.SetMost(CodingThreads());
}

AddonState::~AddonState() {
  // Deno ends the process where a hook is removed that has run.
  if (!cleaned_up_) napi_remove_env_cleanup_hook(env_, OnCleanup, this);
}

void AddonState::OnCleanup(void* data) {
  auto* state = static_cast<AddonState*>(data);
  state->cleaned_up_ = true;
  state->completions.Stop();
  state->runs.Stop();
  state->trainings.Stop();
  state->loads.Stop();
  state->codings.Stop();
  state->files.Stop();
}

}  // namespace node_vae
