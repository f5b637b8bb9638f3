#include "binding/workers.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>

#include "binding/errors.h"
#include "core/error.h"
#include "core/pause.h"
#include "core/processor.h"
#include "core/thread_name.h"

namespace node_vae {
namespace {

// Long enough to catch the next call of a loop that awaits each one, short enough not to matter.
constexpr auto kSpin = std::chrono::microseconds(100);

// The JavaScript thread does not poll for runs that take longer, however much faster that is.
constexpr double kLongestPoll = 1e-3;
constexpr double kLongestHelp = 20e-3;
// How long Poll() may hold up the event loop at a time, and how long it may be kept from its next turn.
constexpr auto kPollSlice = std::chrono::microseconds(20);
constexpr auto kHelpSlice = std::chrono::microseconds(100);
constexpr auto kLongestTurn = std::chrono::microseconds(250);

// One turn of waiting. Gives way to a thread that waits for this processor: it may be the very one
// that this thread is waiting for.
void Relax() noexcept {
  for (int i = 0; i < 8; ++i) SpinPause();
  std::this_thread::yield();
}

}  // namespace

Ort::RunOptions& WorkerSlot::run_options() {
  std::lock_guard lock(mutex_);
  if (!run_options_) {
    run_options_.emplace();
    if (stop.load()) run_options_->SetTerminate();
  }
  return *run_options_;
}

void WorkerSlot::Stop() noexcept {
  std::lock_guard lock(mutex_);
  stop.store(true, std::memory_order_release);
  if (run_options_) Ort::Status(Ort::GetApi().RunOptionsSetTerminate(*run_options_));
}

Completions::Completions(napi_env env) : env_(env) {
  napi_value name = Napi::String::New(env, "node-vae");
  // What looks for handles that keep a process running, as Jest's --detectOpenHandles does, asks the resource itself.
  Napi::Object resource = Napi::Object::New(env);
  resource.Set("hasRef", Napi::Function::New(
                             env, [this](const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), expected_ > 0); },
                             "hasRef"));
  Check(env, napi_create_threadsafe_function(env, nullptr, resource, name, 0, 1, nullptr, nullptr, this, OnWake, &wake_));
  // Only work in progress keeps the process running.
  Check(env, napi_unref_threadsafe_function(env, wake_));
}

napi_value Completions::Expect(Job& job) {
  napi_value promise;
  Check(env_, napi_create_promise(env_, &job.deferred, &promise));
  job.busy_threads = static_cast<int>(expected_);
  if (expected_++ == 0) Check(env_, napi_ref_threadsafe_function(env_, wake_));
  sole_ = expected_ == 1 ? &job : nullptr;
  if (WaitTuner* tuner = expected_ == 1 ? job.tuner() : nullptr) {
    job.submitted = std::chrono::steady_clock::now();
    job.wait = tuner->Choose();
    job.tuned = true;
    const double seconds = tuner->Expected(job.wait);
    const double longest = job.helpable() ? kLongestHelp : kLongestPoll;
    if (job.wait == Wait::kSpinBoth && seconds < longest && poll_request_ != nullptr) {
      const double budget = seconds == 0 ? longest : 2 * seconds + 30e-6;
      poll_until_ = job.submitted + std::chrono::nanoseconds(static_cast<int64_t>(1e9 * budget));
      job.busy_threads += 1;
      if (!polling_.exchange(true)) *poll_request_ = job.submitted - last_turn_ < kLongestTurn ? 2 : 1;
    }
  }
  return promise;
}

bool Completions::Poll(bool turn) {
  const auto now = std::chrono::steady_clock::now();
  if (turn) last_turn_ = now;
  Job* const helped = sole_ != nullptr && sole_->helpable() ? sole_ : nullptr;
  const auto slice_end = std::min(now + (helped == nullptr ? kPollSlice : kHelpSlice), poll_until_);
  while (!ready_.load(std::memory_order_acquire) && std::chrono::steady_clock::now() < slice_end) {
    if (helped == nullptr || !helped->Help()) Relax();
  }
  if (ready_.load(std::memory_order_acquire)) Drain();
  if (expected_ > 0 && !stopped_ && now < poll_until_) return true;
  // From here on Post() wakes this thread; what it posted before it could know is taken now.
  polling_.store(false);
  if (ready_.load()) Drain();
  return false;
}

void Completions::Post(std::unique_ptr<Job> job) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = done_.empty();
    done_.push_back(std::move(job));
    ready_.store(true);
  }
  if (first && !polling_.load()) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Completions::OnWake(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // the environment is going
  static_cast<Completions*>(context)->Drain();
}

void Completions::Drain() {
  std::vector<std::unique_ptr<Job>> done;
  {
    std::lock_guard lock(mutex_);
    done.swap(done_);
    ready_.store(false);
  }
  sole_ = nullptr;
  for (const auto& job : done) {
    if (stopped_) return;
    Settle(*job);
    if (--expected_ == 0) napi_unref_threadsafe_function(env_, wake_);
  }
}

void Completions::Settle(Job& job) {
  const Napi::HandleScope scope(env_);
  napi_value value = nullptr;
  bool failed = true;
  try {
    if (job.error == nullptr) {
      value = job.Result(env_);
      failed = false;
    } else {
      value = ToJsError(env_, job.error);
    }
  } catch (...) {
    value = ToJsError(env_, std::current_exception());
  }
  if (job.tuned && expected_ == 1 && job.tuner() != nullptr) {
    job.tuner()->Record(job.wait, std::chrono::duration<double>(std::chrono::steady_clock::now() - job.submitted).count());
  }
  job.Release(env_);
  // These fail only while the environment is being torn down; there is no one left to tell.
  if (failed) {
    napi_reject_deferred(env_, job.deferred, value);
  } else {
    napi_resolve_deferred(env_, job.deferred, value);
  }
}

// Starts a thread where the jobs outnumber those that wait for one. Throws where there is no thread at all.
void Workers::Grow() {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < idle_ + spinning_ || threads_.size() >= max_threads_) return;
  }
  auto slot = std::make_unique<WorkerSlot>();
  try {
    threads_.emplace_back([this, slot = slot.get()] { Loop(*slot); });
  } catch (const std::system_error&) {
    if (threads_.empty()) throw;
    return;
  }
  slots_.push_back(std::move(slot));
}

napi_value Workers::Submit(std::unique_ptr<Job> job) {
  napi_value promise;
  try {
    Grow();
    promise = completions_.Expect(*job);
  } catch (...) {
    job->Release(completions_.env());
    throw;
  }
  submitter_.store(job->helpable() ? CurrentProcessor() : -1, std::memory_order_relaxed);
  bool wake;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    waiting_.store(queue_.size(), std::memory_order_release);
    wake = spinning_ < queue_.size() && idle_ > 0;
  }
  if (wake) wake_.notify_one();
  return promise;
}

void Workers::LeaveSubmitter() const noexcept {
  const int processor = CurrentProcessor();
  if (processor >= 0 && processor == submitter_.load(std::memory_order_relaxed)) LeaveProcessor(processor);
}

std::unique_ptr<Job> Workers::Take(bool spin) {
  std::unique_lock lock(mutex_);
  if (queue_.empty() && spin && !stop_ && spinning_ == 0) {
    ++spinning_;
    lock.unlock();
    const auto until = std::chrono::steady_clock::now() + kSpin;
    while (waiting_.load(std::memory_order_acquire) == 0) {
      LeaveSubmitter();
      Relax();
      if (std::chrono::steady_clock::now() > until) break;
    }
    lock.lock();
    --spinning_;
  }
  ++idle_;
  wake_.wait(lock, [&] { return stop_ || !queue_.empty(); });
  --idle_;
  if (stop_) return nullptr;
  std::unique_ptr<Job> job = std::move(queue_.front());
  queue_.pop_front();
  waiting_.store(queue_.size(), std::memory_order_release);
  return job;
}

void Workers::Loop(WorkerSlot& slot) {
  NameThread("node-vae");
  bool spin = false;
  while (std::unique_ptr<Job> job = Take(spin)) {
    spin = job->wait != Wait::kSleep;
    LeaveSubmitter();
    try {
      job->Work(slot);
    } catch (...) {
      job->error = std::current_exception();
    }
    completions_.Post(std::move(job));
  }
}

void Workers::Stop() noexcept {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    dropped.swap(queue_);
    waiting_.store(1, std::memory_order_release);  // ends spinning
  }
  wake_.notify_all();
  for (const auto& slot : slots_) slot->Stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace node_vae
