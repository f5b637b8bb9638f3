#include "training/graph.h"

#include "core/error.h"
#include "ort/memory.h"

namespace node_vae {
namespace {

// Batch sizes in use at a time: the usual one, and those of the last batches of two data sets.
constexpr size_t kMaxBindings = 8;

}  // namespace

Ort::Value BoundGraph::MakeValue(const Bound& bound, const ElementType& type) {
  const auto bytes = static_cast<size_t>(ElementCount(bound.dims)) * type.bytes;
  return Ort::Value::CreateTensor(CpuMemory(), bound.data, bytes, bound.dims.data(), bound.dims.size(), type.type);
}

BoundGraph::BoundGraph(const ModelSource& model, const SessionConfig& config, std::vector<std::string> outputs)
    : session_(model, config), outputs_(std::move(outputs)) {
  for (const ValueInfo& input : session_.inputs()) input_names_.push_back(input.name.c_str());
  for (const std::string& name : outputs_) {
    const int at = session_.FindOutput(name);
    if (at < 0) throw Error(code::kGraph, "The graph has no output '" + name + "'.");
    output_at_.push_back(static_cast<size_t>(at));
    output_names_.push_back(name.c_str());
  }
}

const ValueInfo& BoundGraph::output_info(size_t index) const { return session_.outputs()[output_at_[index]]; }

BoundGraph::Binding& BoundGraph::Find(int64_t rows, int variant, const Bind& input, const Bind& output,
                                      const std::vector<Given>& given) {
  for (auto it = bindings_.begin(); it != bindings_.end(); ++it) {
    if (it->rows == rows && it->variant == variant) {
      bindings_.splice(bindings_.begin(), bindings_, it);
      return bindings_.front();
    }
  }
  Binding made{.rows = rows, .variant = variant, .inputs = {}, .outputs = {}};
  for (size_t i = 0; i < input_names_.size(); ++i) {
    const bool is_given = [&] {
      for (const Given& one : given) {
        if (one.input == i) return true;
      }
      return false;
    }();
    // A given input is put in place for each run.
    made.inputs.push_back(is_given ? Ort::Value(nullptr) : MakeValue(input(i, rows), *session_.inputs()[i].type));
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    made.outputs.push_back(MakeValue(output(i, rows), *output_info(i).type));
  }
  if (bindings_.size() >= kMaxBindings) bindings_.pop_back();
  bindings_.push_front(std::move(made));
  return bindings_.front();
}

void BoundGraph::Run(int64_t rows, int variant, const Bind& input, const Bind& output, const std::vector<Given>& given,
                     Ort::RunOptions& options) {
  Binding& binding = Find(rows, variant, input, output, given);
  for (const Given& one : given) {
    binding.inputs[one.input] = MakeValue({one.data, one.dims}, *session_.inputs()[one.input].type);
  }
  session_.ort().Run(options, input_names_.data(), binding.inputs.data(), binding.inputs.size(), output_names_.data(),
                     binding.outputs.data(), binding.outputs.size());
}

}  // namespace node_vae
