#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "binding/napi.h"
#include "binding/wait_tuner.h"
#include "ort/api.h"

namespace node_vae {

// What one of our threads lends to the job it runs.
class WorkerSlot {
 public:
  // Made when a job first asks for them: coding does without ONNX Runtime, which may not be there at all.
  Ort::RunOptions& run_options();
  // JavaScript thread: sets `stop` and ends a running call of ONNX Runtime.
  void Stop() noexcept;

  // Set when the environment goes: long jobs stop at the next occasion.
  std::atomic<bool> stop{false};

 private:
  std::mutex mutex_;
  std::optional<Ort::RunOptions> run_options_;  // guarded by mutex_
};

// Work for another thread whose result settles a promise. Made and finished on the JavaScript thread.
class Job {
 public:
  virtual ~Job() = default;

  // On a worker thread. What it throws rejects the promise.
  virtual void Work(WorkerSlot& slot) = 0;
  // On the JavaScript thread after a Work() that did not throw: the promise's value.
  virtual napi_value Result(napi_env env) = 0;
  // On the JavaScript thread, last, whatever happened before: lets go of what the job held.
  virtual void Release(napi_env) noexcept {}
  // On the JavaScript thread while Work() may be under way: does a few microseconds of it; false when there is
  // nothing to do.
  virtual bool Help() noexcept { return false; }
  virtual bool helpable() const noexcept { return false; }
  // Decides how to wait for this job when it is the only one; null: sleep.
  virtual WaitTuner* tuner() noexcept { return nullptr; }

  napi_deferred deferred = nullptr;
  std::exception_ptr error;
  Wait wait = Wait::kSleep;
  bool tuned = false;  // `wait` was the tuner's choice
  int busy_threads = 0;  // those of the jobs before it, and the JavaScript thread where that polls
  std::chrono::steady_clock::time_point submitted;
};

// Brings finished jobs back to the JavaScript thread of one Node environment. Usually Node's event loop
// is woken for them. For a job to be waited for by spinning, the thread is asked to poll:
// src/binding/poll.ts calls Poll() once in every turn of the event loop, which meanwhile goes on
// serving everything else; the first time even before the next turn, where the last was a moment ago.
// While it polls, the thread helps with the job where it can.
class Completions {
 public:
  explicit Completions(napi_env env);
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  napi_env env() const noexcept { return env_; }
  // JavaScript thread: makes the promise of a job about to be submitted.
  napi_value Expect(Job& job);
  // Any thread.
  void Post(std::unique_ptr<Job> job);
  // JavaScript thread: looks for finished jobs; whether to call again in the next turn. `turn`: called by
  // the event loop itself.
  bool Poll(bool turn);
  // JavaScript thread: one int32 that lives as long as the environment, set to ask for polling: to 1 in
  // the next turn of the event loop, to 2 before.
  void SetPollRequest(int32_t* request) noexcept { poll_request_ = request; }
  // JavaScript thread, when the environment goes: nothing is settled from here on.
  void Stop() noexcept { stopped_ = true; }

 private:
  static void OnWake(napi_env env, napi_value, void* context, void*);
  void Drain();
  void Settle(Job& job);

  napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  size_t expected_ = 0;  // JavaScript thread
  Job* sole_ = nullptr;  // JavaScript thread: the job in flight when there is just one
  bool stopped_ = false;  // JavaScript thread
  int32_t* poll_request_ = nullptr;  // JavaScript thread
  std::chrono::steady_clock::time_point poll_until_;  // JavaScript thread
  std::chrono::steady_clock::time_point last_turn_;   // JavaScript thread
  std::atomic<bool> polling_{false};  // set: Post() need not wake the JavaScript thread
  std::atomic<bool> ready_{false};    // done_ is not empty
  std::mutex mutex_;
  std::vector<std::unique_ptr<Job>> done_;  // guarded by mutex_
};

// Threads that run jobs in the order they came. Threads are started when first needed.
class Workers {
 public:
  Workers(Completions& completions, size_t max_threads) : completions_(completions), max_threads_(max_threads) {}
  ~Workers() { Stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // JavaScript thread, before any work.
  void SetMost(size_t max_threads) noexcept { max_threads_ = max_threads; }
  // JavaScript thread. Returns the promise. Where it throws, the job was released before.
  napi_value Submit(std::unique_ptr<Job> job);
  // JavaScript thread. Ends running ONNX Runtime calls, drops waiting jobs, joins the threads.
  void Stop() noexcept;

 private:
  void Grow();
  void Loop(WorkerSlot& slot);
  // Lets the JavaScript thread have its processor for itself.
  void LeaveSubmitter() const noexcept;
  std::unique_ptr<Job> Take(bool spin);

  Completions& completions_;
  size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;  // guarded by mutex_
  bool stop_ = false;                       // guarded by mutex_
  size_t idle_ = 0;                         // guarded by mutex_: asleep on wake_
  size_t spinning_ = 0;                     // guarded by mutex_
  std::atomic<int> submitter_{-1};          // the processor of the JavaScript thread, where that helps
  std::atomic<size_t> waiting_{0};          // queue_.size(), for threads that spin
  std::vector<std::unique_ptr<WorkerSlot>> slots_;
  std::vector<std::thread> threads_;
};

}  // namespace node_vae
