#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "ort/abort.h"
#include "ort/session.h"

namespace node_vae {

// A graph whose inputs and outputs are memory of ours, bound once for each number of rows: a run then
// allocates nothing and copies nothing.
class BoundGraph {
 public:
  // What to bind for a number of rows: memory, and the whole shape.
  struct Bound {
    void* data = nullptr;
    std::vector<int64_t> dims;
  };
  using Bind = std::function<Bound(size_t index, int64_t rows)>;
  static Ort::Value MakeValue(const Bound& bound, const ElementType& type);

  // `input` and `output` say what to bind, by the graph's own input index and by index into
  // `outputs`. `variant` of Run() tells apart bindings of other memory for the same rows.
  BoundGraph(const ModelSource& model, const SessionConfig& config, std::vector<std::string> outputs);

  Session& session() noexcept { return session_; }
  const Session& session() const noexcept { return session_; }
  const std::vector<const char*>& input_names() const noexcept { return input_names_; }
  const std::vector<const char*>& output_pointers() const noexcept { return output_names_; }
  const std::vector<std::string>& output_names() const noexcept { return outputs_; }
  const ValueInfo& output_info(size_t index) const;

  // Runs the graph. `given` replaces inputs for this run only: graph input index and memory.
  struct Given {
    size_t input = 0;
    void* data = nullptr;
    std::vector<int64_t> dims;
  };
  // Throws Ort::Exception.
  void Run(int64_t rows, int variant, const Bind& input, const Bind& output, const std::vector<Given>& given,
           Ort::RunOptions& options);

  // Forgets all bindings, because memory moved.
  void Forget() noexcept { bindings_.clear(); }

 private:
  struct Binding {
    int64_t rows;
    int variant;
    std::vector<Ort::Value> inputs;
    std::vector<Ort::Value> outputs;
  };
  Binding& Find(int64_t rows, int variant, const Bind& input, const Bind& output, const std::vector<Given>& given);

  Session session_;
  std::vector<std::string> outputs_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<size_t> output_at_;
  std::list<Binding> bindings_;  // most recently used first
};

}  // namespace node_vae
