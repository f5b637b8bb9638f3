#include "coder/dense_stack.h"

#include <algorithm>
#include <string>

#include "coder/demand.h"

namespace node_vae::coder {

DenseStack::DenseStack(const char* name, const std::vector<DenseSpec>& specs, std::vector<int32_t> input_limits) {
  Demand(!specs.empty(), std::string(name) + " has no layers");
  for (size_t i = 0; i < specs.size(); ++i) {
    layers_.emplace_back(std::string(name) + "." + std::to_string(i), specs[i], input_limits);
    input_limits.assign(layers_[i].outputs(), layers_[i].output_limit());
    if (i + 1 < specs.size()) {
      Demand(specs[i + 1].inputs == specs[i].outputs, std::string(name) + "'s layers do not fit together");
      // Whole tiles, which are written faster.
      widest_ = std::max(widest_, (layers_[i].outputs() + kTile - 1) / kTile * kTile);
    }
  }
}

void DenseStack::Run(const DenseRows& rows, Scratch& scratch) const {
  size_t masks = 0;
  for (const Dense& layer : layers_) masks = std::max(masks, layer.scratch(rows.count));
  if (scratch.masks.size() < masks) scratch.masks.resize(masks);
  if (scratch.first.size() < rows.count * widest_) {
    scratch.first.resize(rows.count * widest_);
    scratch.second.resize(rows.count * widest_);
  }
  DenseRows step = rows;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (i + 1 < layers_.size()) {
      step.outputs = i % 2 == 0 ? scratch.first.data() : scratch.second.data();
      step.output_stride = step.output_room = widest_;
    } else {
      step.outputs = rows.outputs;
      step.output_stride = rows.output_stride;
      step.output_room = rows.output_room;
    }
    layers_[i].Run(step, scratch.masks.data());
    step.inputs = step.outputs;
    step.input_stride = step.output_stride;
  }
}

}  // namespace node_vae::coder
