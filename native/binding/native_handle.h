#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "binding/errors.h"
#include "binding/state.h"
#include "core/error.h"

namespace node_vae {

// What a JavaScript object of a session or a codec holds: the native one, the number of calls in flight, and
// close(). The native one lives until close() has waited for those calls, or the object is
// collected. JavaScript thread only, except that jobs share `native()`.
template <typename Native>
class NativeHandle {
 public:
  // `what` is what users call the object: a session, a codec.
  explicit NativeHandle(const char* what) noexcept : what_(what) {}

  // Tells the garbage collector about memory it cannot see.
  void Open(napi_env env, std::shared_ptr<Native> native, int64_t bytes) {
    native_ = std::move(native);
    Account(env, bytes);
  }

  ~NativeHandle() {
    if (env_ != nullptr) Account(env_, 0);
  }

  const std::shared_ptr<Native>& native() const {
    if (closed_ || native_ == nullptr) {
      throw Error(code::kDisposed, std::string("This ") + what_ + " was used after close().");
    }
    return native_;
  }
  bool closed() const noexcept { return closed_; }
  size_t in_flight() const noexcept { return in_flight_; }

  void Account(napi_env env, int64_t bytes) noexcept {
    env_ = env;
    int64_t total;
    if (bytes != accounted_) napi_adjust_external_memory(env, bytes - accounted_, &total);
    accounted_ = bytes;
  }

  // The one way to submit a job of it: it is counted from before it is submitted until its
  // Release() calls End(), which comes in whatever way it ends. `self` is kept from collection meanwhile.
  template <typename Wrapper>
  napi_value Start(Wrapper& self, Workers& workers, std::unique_ptr<Job> job) {
    if (in_flight_++ == 0) self.Ref();
    return workers.Submit(std::move(job));
  }
  template <typename Wrapper>
  void End(Wrapper& self, napi_env env) noexcept {
    if (--in_flight_ != 0) return;
    if (closed_) Unload(env);
    self.Unref();
  }

  // Resolves once nothing is in flight and the native session is gone. Idempotent.
  napi_value Close(napi_env env) {
    napi_deferred deferred;
    napi_value promise;
    Check(env, napi_create_promise(env, &deferred, &promise));
    if (closed_ && native_ == nullptr && !*unloading_) {
      napi_value undefined;
      Check(env, napi_get_undefined(env, &undefined));
      Check(env, napi_resolve_deferred(env, deferred, undefined));
      return promise;
    }
    waiting_->push_back(deferred);
    if (!closed_) {
      closed_ = true;
      if (in_flight_ == 0) Unload(env);
    }
    return promise;
  }

 private:
  const char* what_;
  // Freeing a large model, and joining its threads, takes long enough to matter: not on this thread.
  class UnloadJob : public Job {
   public:
    UnloadJob(std::shared_ptr<Native> native, std::shared_ptr<std::vector<napi_deferred>> waiting,
              std::shared_ptr<bool> unloading)
        : native_(std::move(native)), waiting_(std::move(waiting)), unloading_(std::move(unloading)) {}
    void Work(WorkerSlot&) override { native_.reset(); }
    napi_value Result(napi_env env) override {
      napi_value undefined;
      Check(env, napi_get_undefined(env, &undefined));
      return undefined;
    }
    void Release(napi_env env) noexcept override {
      native_.reset();
      *unloading_ = false;
      napi_value undefined;
      if (napi_get_undefined(env, &undefined) != napi_ok) return;
      for (napi_deferred waiting : *waiting_) napi_resolve_deferred(env, waiting, undefined);
      waiting_->clear();
    }

   private:
    std::shared_ptr<Native> native_;
    std::shared_ptr<std::vector<napi_deferred>> waiting_;
    std::shared_ptr<bool> unloading_;
  };

  void Unload(napi_env env) noexcept {
    Account(env, 0);
    *unloading_ = true;
    auto job = std::make_unique<UnloadJob>(std::move(native_), waiting_, unloading_);
    native_ = nullptr;
    try {
      AddonState::Of(env).loads.Submit(std::move(job));
    } catch (...) {
      // No thread was to be had: it was unloaded here.
    }
  }

  napi_env env_ = nullptr;
  std::shared_ptr<Native> native_;
  int64_t accounted_ = 0;
  size_t in_flight_ = 0;
  bool closed_ = false;
  std::shared_ptr<bool> unloading_ = std::make_shared<bool>(false);
  std::shared_ptr<std::vector<napi_deferred>> waiting_ = std::make_shared<std::vector<napi_deferred>>();
};

}  // namespace node_vae
