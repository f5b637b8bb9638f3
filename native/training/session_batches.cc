// How a micro-batch comes together: checking a request, gathering rows, drawing noise.
#include <algorithm>

#include "core/error.h"
#include "training/session.h"

namespace node_vae {
namespace {

// Binarisation draws from streams of its own, out of reach of the streams that callers number.
constexpr uint32_t kBinariseStream = 0x80000000u;

}  // namespace

void TrainingSession::AttachRows(size_t feed, const RowData& rows) {
  const FeedSpec& spec = config_.feeds[feed];
  const bool wants_int = spec.type->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  const bool is_int = rows.source == RowSource::kInt64;
  if (wants_int ? rows.source == RowSource::kFloat32 : is_int) {
    throw Error(code::kShape, "attachRows('" + spec.name + "'): this input is " + spec.type->name +
                                  (wants_int ? "; expected a BigInt64Array or a Uint8Array."
                                             : "; expected a Float32Array or a Uint8Array."));
  }
  rows_[feed] = rows;
}

void TrainingSession::CheckBatches(const BatchRequest& request, const BoundGraph& graph,
                                   const std::vector<InputSource>& inputs) const {
  const size_t batches = request.batch_sizes.size();
  uint64_t total = 0;
  for (const uint32_t size : request.batch_sizes) {
    if (size == 0) throw Error(code::kShape, "batchSizes: a micro-batch of 0 rows.");
    total += size;
  }
  if (!request.given.empty() && batches != 1) {
    throw Error(code::kShape, "given: a request with given tensors holds one micro-batch, this one holds " +
                                  std::to_string(batches) + ".");
  }
  const uint32_t last = request.indices.empty() ? 0 : *std::max_element(request.indices.begin(), request.indices.end());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputSource& source = inputs[i];
    if (source.kind != InputSource::Kind::kFeed) continue;
    const FeedSpec& feed = config_.feeds[source.index];
    if (const GivenTensor* given = FindGiven(request, source.index)) {
      const std::vector<int64_t>& dims = graph.session().inputs()[i].dims;
      bool fits = dims.size() == given->dims.size();
      for (size_t d = 0; fits && d < dims.size(); ++d) fits = dims[d] < 0 || dims[d] == given->dims[d];
      if (!fits) {
        throw Error(code::kShape, "given['" + feed.name + "']: expected shape " + FormatShape(dims) + ", received " +
                                      FormatShape(given->dims) + ".");
      }
      continue;
    }
    if (feed.kind == FeedKind::kGiven) {
      throw Error(code::kShape, "given: the input '" + feed.name + "' is missing.");
    }
    if (feed.kind == FeedKind::kScalar && request.scalars[source.index].size() != batches) {
      throw Error(code::kShape, "scalars['" + feed.name + "']: expected " + std::to_string(batches) +
                                    " values, one for each micro-batch, received " +
                                    std::to_string(request.scalars[source.index].size()) + ".");
    }
    if (feed.kind != FeedKind::kRows) continue;
    if (!rows_[source.index]) {
      throw Error(code::kData, "No rows are attached to the input '" + feed.name + "'; call attachRows() first.");
    }
    if (request.indices.size() != total) {
      throw Error(code::kShape, "indices: expected " + std::to_string(total) + ", the sum of batchSizes, received " +
                                    std::to_string(request.indices.size()) + ".");
    }
    if (total > 0 && last >= rows_[source.index]->row_count) {
      throw Error(code::kData, "indices: row " + std::to_string(last) + " of the input '" + feed.name +
                                   "' does not exist; it has " + std::to_string(rows_[source.index]->row_count) +
                                   " rows.");
    }
  }
}

void TrainingSession::CheckTrain(const TrainRequest& request) const {
  CheckBatches(request, train_graph_, train_inputs_);
  if (request.step && request.learning_rates.size() != request.batch_sizes.size()) {
    throw Error(code::kShape, "learningRates: expected " + std::to_string(request.batch_sizes.size()) +
                                  " values, one for each micro-batch, received " +
                                  std::to_string(request.learning_rates.size()) + ".");
  }
  if (request.accumulate == 0) throw Error(code::kOption, "accumulate: expected 1 or more, received 0.");
}

void TrainingSession::CheckEval(const EvalRequest& request) const {
  if (eval_graph_ == nullptr) {
    throw Error(code::kOption, "evaluate(): this session was made without an eval model.");
  }
  if (request.use_ema && !HasSlot(Slot::kEma)) {
    throw Error(code::kOption, "evaluate(): this session keeps no moving average; create it with emaDecay.");
  }
  CheckBatches(request, *eval_graph_, eval_inputs_);
}

void TrainingSession::Reserve(size_t feed, int64_t rows) {
  const FeedSpec& spec = config_.feeds[feed];
  const size_t element = spec.type != nullptr ? spec.type->bytes : sizeof(float);
  const size_t bytes = element * (spec.kind == FeedKind::kScalar ? 1 : static_cast<size_t>(rows) * CountElements(spec.dims));
  if (feed_memory_[feed].size() >= bytes) return;
  feed_memory_[feed] = AlignedBytes(bytes);
  train_graph_.Forget();
  if (eval_graph_ != nullptr) eval_graph_->Forget();
}

void TrainingSession::Assemble(const BatchRequest& request, const std::vector<InputSource>& inputs, size_t batch,
                               size_t first_row) {
  const int64_t rows = request.batch_sizes[batch];
  const auto count = static_cast<size_t>(rows);
  const uint64_t counter = request.first_micro_batch + batch;
  const uint32_t* indices = request.indices.data() + first_row;
  for (const InputSource& source : inputs) {
    if (source.kind != InputSource::Kind::kFeed || FindGiven(request, source.index) != nullptr) continue;
    const FeedSpec& feed = config_.feeds[source.index];
    Reserve(source.index, rows);
    void* memory = feed_memory_[source.index].data();
    switch (feed.kind) {
      case FeedKind::kRows: {
        const RowData& data = *rows_[source.index];
        if (feed.type->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
          GatherInt64(team_, data, indices, count, static_cast<int64_t*>(memory));
        } else {
          const Draw draw{config_.seed, kBinariseStream + static_cast<uint32_t>(source.index), counter};
          GatherFloat(team_, data, indices, count, draw, static_cast<float*>(memory));
        }
        break;
      }
      case FeedKind::kNormal:
      case FeedKind::kUniform:
        FillInParallel(team_, feed.kind == FeedKind::kNormal, {config_.seed, feed.stream, counter},
                       count * CountElements(feed.dims), static_cast<float*>(memory));
        break;
      case FeedKind::kScalar:
        *static_cast<float*>(memory) = request.scalars[source.index][batch];
        break;
      case FeedKind::kGiven:
        break;
    }
  }
}

}  // namespace node_vae
