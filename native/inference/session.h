#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inference/dense_network.h"
#include "ort/abort.h"
#include "ort/session.h"

namespace node_vae {

// One input of a run: borrowed memory.
struct InferenceInput {
  int index = 0;
  void* data = nullptr;
  size_t bytes = 0;
  std::vector<int64_t> dims;
};

// One wanted output of a run.
struct InferenceOutput {
  int index = 0;
  // Where the result must end up; borrowed, null when the session is to allocate it.
  void* into = nullptr;
  size_t into_bytes = 0;
  // The shape it is expected to have; meaningful when `bind` is set.
  std::vector<int64_t> dims;
  // Let ONNX Runtime write straight into `into`. Only right when the shape comes out as expected;
  // if it does not, the run is repeated without binding, so this is never wrong, only slower.
  bool bind = false;
  // `into` was made in expectation of that shape and may be given up; a caller's array may not.
  bool replaceable = false;

  // Results.
  std::vector<int64_t> actual_dims;
  // Set when the data is not in `into`.
  Ort::Value value{nullptr};
};

struct InferenceRequest {
  // Refuse NaN and infinity in float32 inputs, and what is outside the first one's domain.
  bool check_finite = false;
  std::vector<InferenceInput> inputs;
  std::vector<InferenceOutput> outputs;
  // How the session's dense network computes it, where that can; see InferenceSession::PlanDense.
  std::unique_ptr<DenseRun> dense;
  bool planned = false;
  // Threads that have other work, or help of themselves: so many fewer are told to.
  int busy_threads = 0;
  // Set when a bound output came out with another shape.
  bool mispredicted = false;
};

// A loaded model. Run() may be called by several threads at once.
class InferenceSession {
 public:
  // `dense_network`, if any, computes what the model does. `domain`: of the first input, in runs that check values.
  InferenceSession(const ModelSource& model, const SessionConfig& config, std::unique_ptr<DenseNetwork> dense_network,
                   const ValueDomain& domain)
      : session_(model, config), dense_network_(std::move(dense_network)), domain_(domain) {}
  // ONNX Runtime opens the model when a run is none for the dense network.
  InferenceSession(ModelBytes model, SessionConfig config, Deferral deferral,
                   std::unique_ptr<DenseNetwork> dense_network, const ValueDomain& domain)
      : session_(model, std::move(config), std::move(deferral)),
        dense_network_(std::move(dense_network)),
        domain_(domain) {}

  Session& session() noexcept { return session_; }

  // Sets `dense` where all of the request is known beforehand. From then on any thread may help.
  void PlanDense(InferenceRequest& request);

  // Throws Error: ERR_VAE_RUNTIME, ERR_VAE_SHAPE when a caller's array is of the wrong size,
  // ERR_VAE_ABORTED, ERR_VAE_DATA for an input that is not finite.
  // `options` is asked where ONNX Runtime runs.
  void Run(InferenceRequest& request, const std::function<Ort::RunOptions&()>& options, AbortState* abort);

 private:
  void CheckFinite(const InferenceRequest& request) const;
  void RunDense(InferenceRequest& request, AbortState* abort);
  void RunOnce(InferenceRequest& request, Ort::RunOptions& options, bool bind);
  void Collect(InferenceOutput& output) const;

  Session session_;
  std::unique_ptr<DenseNetwork> dense_network_;
  const ValueDomain domain_;
};

}  // namespace node_vae
