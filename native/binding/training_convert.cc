#include "binding/training_convert.h"

#include <cmath>
#include <cstring>

#include "binding/convert.h"
#include "binding/errors.h"
#include "core/error.h"

namespace node_vae {
namespace {

double ToNumber(const Napi::Value& value, const std::string& what) {
  if (!value.IsNumber()) throw Error(code::kOption, what + ": expected a number.");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) throw Error(code::kOption, what + ": expected a finite number.");
  return number;
}

double ToNumberOr(const Napi::Value& value, double fallback, const std::string& what) {
  return value.IsUndefined() ? fallback : ToNumber(value, what);
}

// Whole numbers that a double holds exactly.
uint64_t ToWhole(const Napi::Value& value, double most, const std::string& what) {
  const double number = ToNumber(value, what);
  if (!(number >= 0) || number > most || number != std::floor(number)) {
    throw Error(code::kOption, what + ": expected a whole number from 0 to " + std::to_string(static_cast<uint64_t>(most)) +
                                   ", received " + std::to_string(number) + ".");
  }
  return static_cast<uint64_t>(number);
}

Napi::Object ToObject(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject()) throw Error(code::kOption, what + ": expected an object.");
  return value.As<Napi::Object>();
}

Napi::Array ToList(const Napi::Value& value, const std::string& what) {
  if (!value.IsArray()) throw Error(code::kOption, what + ": expected an array.");
  return value.As<Napi::Array>();
}

std::vector<std::string> ToStrings(Napi::Env env, const Napi::Value& value, const std::string& what) {
  const Napi::Array list = ToList(value, what);
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < list.Length(); ++i) strings.push_back(ToString(env, list.Get(i), what));
  return strings;
}

ParameterSpec ToParameter(Napi::Env env, Napi::Object entry) {
  ParameterSpec spec;
  spec.name = ToString(env, entry.Get("name"), "parameters[].name");
  const std::string what = "parameter '" + spec.name + "'";
  spec.dims = ToDims(env, entry.Get("dims"), what);
  spec.trainable = entry.Get("trainable").ToBoolean();
  if (const Napi::Value gradient = entry.Get("gradient"); !gradient.IsUndefined()) {
    spec.gradient = ToString(env, gradient, what + ", gradient");
  }
  spec.weight_decay_scale = static_cast<float>(ToNumberOr(entry.Get("weightDecayScale"), 1, what + ", weightDecayScale"));
  spec.learning_rate_scale =
      static_cast<float>(ToNumberOr(entry.Get("learningRateScale"), 1, what + ", learningRateScale"));
  return spec;
}

FeedSpec ToFeed(Napi::Env env, Napi::Object entry) {
  FeedSpec spec;
  spec.name = ToString(env, entry.Get("name"), "feeds[].name");
  const std::string what = "feed '" + spec.name + "'";
  const std::string kind = ToString(env, entry.Get("kind"), what + ", kind");
  spec.type = FindElementType(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  if (kind == "rows") {
    spec.kind = FeedKind::kRows;
    const std::string dtype = ToString(env, entry.Get("dtype"), what + ", dtype");
    if (dtype != "float32" && dtype != "int64") {
      throw Error(code::kOption, what + ", dtype: expected float32 or int64, received " + dtype + ".");
    }
    spec.type = FindElementType(dtype);
  } else if (kind == "normal" || kind == "uniform") {
    spec.kind = kind == "normal" ? FeedKind::kNormal : FeedKind::kUniform;
    // Streams from 2^31 on are the session's own.
    spec.stream = static_cast<uint32_t>(ToWhole(entry.Get("stream"), 2147483647.0, what + ", stream"));
  } else if (kind == "scalar") {
    spec.kind = FeedKind::kScalar;
  } else if (kind == "given") {
    spec.kind = FeedKind::kGiven;
    spec.type = nullptr;
  } else {
    throw Error(code::kOption, what + ", kind: unknown kind '" + kind + "'.");
  }
  if (spec.kind != FeedKind::kScalar && spec.kind != FeedKind::kGiven) {
    spec.dims = ToDims(env, entry.Get("dims"), what);
  }
  return spec;
}

template <typename T, typename View>
std::vector<T> Copy(const View& view) {
  return std::vector<T>(view.data, view.data + view.count);
}

void ReadBatches(Napi::Env env, Napi::Object object, const TrainingSession& session, Napi::Array& held,
                 BatchRequest& request) {
  request.indices = Copy<uint32_t>(ViewUint32(env, object.Get("indices"), "indices"));
  request.batch_sizes = Copy<uint32_t>(ViewUint32(env, object.Get("batchSizes"), "batchSizes"));
  request.first_micro_batch = ToWhole(object.Get("firstMicroBatch"), 9007199254740991.0, "firstMicroBatch");
  const std::vector<FeedSpec>& feeds = session.config().feeds;
  request.scalars.resize(feeds.size());
  const Napi::Object scalars = ToObject(object.Get("scalars"), "scalars");
  const Napi::Value given = object.Get("given");
  for (size_t i = 0; i < feeds.size(); ++i) {
    const FeedSpec& feed = feeds[i];
    if (feed.kind == FeedKind::kScalar) {
      const Napi::Value values = scalars.Get(feed.name);
      if (!values.IsUndefined()) {
        request.scalars[i] = Copy<float>(ViewFloat32(env, values, "scalars['" + feed.name + "']"));
      }
    }
    if (!given.IsObject()) continue;
    const Napi::Value tensor = given.As<Napi::Object>().Get(feed.name);
    if (tensor.IsUndefined()) continue;
    const std::string what = "given['" + feed.name + "']";
    const Napi::Object fields = ToObject(tensor, what);
    GivenTensor one;
    one.feed = i;
    one.dims = ToDims(env, fields.Get("dims"), what);
    const Napi::Value data = fields.Get("data");
    const std::string dtype = ToString(env, fields.Get("dtype"), what + ".dtype");
    const ElementType* type = FindElementType(dtype);
    const ElementType* wanted = session.FeedType(i);
    if (type == nullptr || (wanted != nullptr && type != wanted)) {
      throw Error(code::kShape, what + ": expected dtype " + (wanted != nullptr ? wanted->name : "of a tensor") +
                                    ", received " + dtype + ".");
    }
    const ArrayView view = ViewArrayOf(env, data, *type, what);
    if (view.count != CountElements(one.dims)) {
      throw Error(code::kShape, what + ": shape " + FormatShape(one.dims) + " has " +
                                    std::to_string(ElementCount(one.dims)) + " elements, the array has " +
                                    std::to_string(view.count) + ".");
    }
    one.data = view.data;
    held.Set(held.Length(), data);
    request.given.push_back(std::move(one));
  }
}

}  // namespace

OptimizerSpec ToOptimizerSpec(Napi::Env env, Napi::Object options) {
  OptimizerSpec spec;
  const auto number = [&](const char* key, double low, double high) {
    const double value = ToNumber(options.Get(key), std::string("optimizer.") + key);
    if (value < low || value > high) {
      throw Error(code::kOption, std::string("optimizer.") + key + ": expected " + std::to_string(low) + " to " +
                                     std::to_string(high) + ", received " + std::to_string(value) + ".");
    }
    return value;
  };
  constexpr double kMany = 1e30;
  const std::string type = ToString(env, options.Get("type"), "optimizer.type");
  if (type == "sgd") {
    spec.type = OptimizerType::kSgd;
    spec.momentum = number("momentum", 0, 1);
    spec.dampening = number("dampening", 0, 1);
    spec.nesterov = options.Get("nesterov").ToBoolean();
  } else if (type == "adam" || type == "adamw") {
    spec.type = type == "adam" ? OptimizerType::kAdam : OptimizerType::kAdamW;
    spec.beta1 = number("beta1", 0, 1);
    spec.beta2 = number("beta2", 0, 1);
    if (spec.beta1 == 1 || spec.beta2 == 1) throw Error(code::kOption, "optimizer: beta1 and beta2 must be below 1.");
    spec.epsilon = number("epsilon", 0, kMany);
    if (spec.type == OptimizerType::kAdamW) {
      const Napi::Value given = options.Get("form");
      const std::string form = given.IsUndefined() ? "pytorch" : ToString(env, given, "optimizer.form");
      if (form != "pytorch" && form != "onnxruntime") {
        throw Error(code::kOption, "optimizer.form: expected pytorch or onnxruntime, received " + form + ".");
      }
      spec.form = form == "pytorch" ? AdamWForm::kPytorch : AdamWForm::kOnnxRuntime;
      const Napi::Value corrects = options.Get("biasCorrection");
      spec.bias_correction = corrects.IsUndefined() || corrects.ToBoolean();
    }
  } else {
    throw Error(code::kOption, "optimizer.type: expected sgd, adam or adamw, received " + type + ".");
  }
  spec.weight_decay = number("weightDecay", 0, kMany);
  return spec;
}

TrainingConfig ToTrainingConfig(Napi::Env env, Napi::Object options) {
  TrainingConfig config;
  config.session = ToSessionConfig(env, options);
  const Napi::Array parameters = ToList(options.Get("parameters"), "parameters");
  for (uint32_t i = 0; i < parameters.Length(); ++i) {
    config.parameters.push_back(ToParameter(env, ToObject(parameters.Get(i), "parameters[]")));
  }
  const Napi::Array states = ToList(options.Get("states"), "states");
  for (uint32_t i = 0; i < states.Length(); ++i) {
    const Napi::Object entry = ToObject(states.Get(i), "states[]");
    StateSpec spec;
    spec.name = ToString(env, entry.Get("name"), "states[].name");
    spec.dims = ToDims(env, entry.Get("dims"), "state '" + spec.name + "'");
    spec.output = ToString(env, entry.Get("output"), "state '" + spec.name + "', output");
    config.states.push_back(std::move(spec));
  }
  const Napi::Array feeds = ToList(options.Get("feeds"), "feeds");
  for (uint32_t i = 0; i < feeds.Length(); ++i) {
    config.feeds.push_back(ToFeed(env, ToObject(feeds.Get(i), "feeds[]")));
  }
  config.scalars = ToStrings(env, options.Get("scalars"), "scalars");
  config.per_example = ToStrings(env, options.Get("perExample"), "perExample");
  config.optimizer = ToOptimizerSpec(env, ToObject(options.Get("optimizer"), "optimizer"));
  if (const Napi::Value value = options.Get("clipGradientNorm"); !value.IsUndefined()) {
    config.clip_gradient_norm = ToNumber(value, "clipGradientNorm");
    if (!(*config.clip_gradient_norm > 0)) throw Error(code::kOption, "clipGradientNorm: expected more than 0.");
  }
  if (const Napi::Value value = options.Get("emaDecay"); !value.IsUndefined()) {
    config.ema_decay = ToNumber(value, "emaDecay");
    if (!(*config.ema_decay >= 0 && *config.ema_decay < 1)) {
      throw Error(code::kOption, "emaDecay: expected at least 0 and less than 1.");
    }
  }
  if (const Napi::Value value = options.Get("device"); !value.IsUndefined()) {
    const Napi::Object graphs = ToObject(value, "device");
    config.device = DeviceGraphs{.step = ToModelSource(graphs.Get("step"), "device.step"),
                                 .accumulate = ToModelSource(graphs.Get("accumulate"), "device.accumulate"),
                                 .copy = ToModelSource(graphs.Get("copy"), "device.copy"),
                                 .log_rows = ToWhole(graphs.Get("logRows"), 65536, "device.logRows")};
  }
  config.sum_gradients = options.Get("sumGradients").ToBoolean();
  config.keep_gradient = options.Get("keepGradient").ToBoolean();
  const Napi::Value seed = options.Get("seed");
  bool lossless = false;
  if (seed.IsBigInt()) config.seed = seed.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw Error(code::kOption, "seed: expected a bigint from 0 to 2^64-1.");
  return config;
}

RowData ToRowData(Napi::Env env, const Napi::Value& array, const Napi::Value& count, const Napi::Value& transform,
                  const FeedSpec& feed) {
  const std::string what = "attachRows('" + feed.name + "')";
  const ArrayView view = ViewArray(env, array, what);
  RowData rows;
  if (view.type == napi_uint8_array) {
    rows.source = RowSource::kUint8;
  } else if (view.type == napi_float32_array) {
    rows.source = RowSource::kFloat32;
  } else if (view.type == napi_bigint64_array) {
    rows.source = RowSource::kInt64;
  } else {
    throw Error(code::kOption, what + ": expected a Uint8Array, Float32Array or BigInt64Array.");
  }
  rows.data = view.data;
  rows.row_count = ToWhole(count, 4294967296.0, what + ", rowCount");
  rows.row_size = CountElements(feed.dims);
  if (rows.row_count * rows.row_size != view.count) {
    throw Error(code::kShape, what + ": " + std::to_string(rows.row_count) + " rows of shape " + FormatShape(feed.dims) +
                                  " have " + std::to_string(rows.row_count * rows.row_size) +
                                  " values, the array has " + std::to_string(view.count) + ".");
  }
  const Napi::Object fields = ToObject(transform, what + ", transform");
  rows.scale = static_cast<float>(ToNumber(fields.Get("scale"), what + ", scale"));
  rows.offset = static_cast<float>(ToNumber(fields.Get("offset"), what + ", offset"));
  const std::string binarise = ToString(env, fields.Get("binarise"), what + ", binarise");
  if (binarise == "threshold") {
    rows.binarise = Binarise::kThreshold;
  } else if (binarise == "sample") {
    rows.binarise = Binarise::kSample;
  } else if (binarise != "none") {
    throw Error(code::kOption, what + ", binarise: expected none, threshold or sample, received " + binarise + ".");
  }
  return rows;
}

Slot ToSlot(const Napi::Value& name) {
  const std::string text = ToString(name.Env(), name, "slot");
  if (text == "moment1") return Slot::kMoment1;
  if (text == "moment2") return Slot::kMoment2;
  if (text == "ema") return Slot::kEma;
  if (text == "accumulator") return Slot::kAccumulator;
  throw Error(code::kOption, "slot: expected moment1, moment2, ema or accumulator, received " + text + ".");
}

TrainRequest ToTrainRequest(Napi::Env env, const Napi::Value& value, const TrainingSession& session,
                            Napi::Array& held) {
  const Napi::Object object = ToObject(value, "request");
  TrainRequest request;
  ReadBatches(env, object, session, held, request);
  if (const Napi::Value rates = object.Get("learningRates"); !rates.IsUndefined()) {
    request.learning_rates = Copy<double>(ViewFloat64(env, rates, "learningRates"));
  }
  request.accumulate = static_cast<uint32_t>(ToWhole(object.Get("accumulate"), 4294967295.0, "accumulate"));
  request.measure_updates = object.Get("measureUpdates").ToBoolean();
  return request;
}

EvalRequest ToEvalRequest(Napi::Env env, const Napi::Value& value, const TrainingSession& session, Napi::Array& held) {
  const Napi::Object object = ToObject(value, "request");
  EvalRequest request;
  ReadBatches(env, object, session, held, request);
  request.use_ema = object.Get("useEma").ToBoolean();
  return request;
}

napi_value FromFloats(napi_env env, const std::vector<float>& values) {
  float* data = nullptr;
  napi_value array = NewFloat32(env, values.size(), &data);
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(float));
  return array;
}

Napi::Object FromTrainResult(Napi::Env env, const TrainResult& result, const std::vector<std::string>& names) {
  auto object = Napi::Object::New(env);
  object.Set("completed", static_cast<double>(result.completed));
  auto scalars = Napi::Object::New(env);
  for (size_t i = 0; i < names.size(); ++i) scalars.Set(names[i], Napi::Value(env, FromFloats(env, result.scalars[i])));
  object.Set("scalars", scalars);
  object.Set("gradientNorms", Napi::Value(env, FromFloats(env, result.gradient_norms)));
  if (!result.update_norms.empty()) {
    object.Set("updateNorms", Napi::Value(env, FromFloats(env, result.update_norms)));
  }
  if (result.non_finite) {
    auto where = Napi::Object::New(env);
    where.Set("microBatch", static_cast<double>(result.non_finite->micro_batch));
    where.Set("where", result.non_finite->where);
    if (result.non_finite->applied) where.Set("applied", true);
    object.Set("nonFinite", where);
  }
  auto seconds = Napi::Object::New(env);
  seconds.Set("assemble", result.seconds.assemble);
  seconds.Set("graph", result.seconds.graph);
  seconds.Set("optimizer", result.seconds.optimizer);
  object.Set("seconds", seconds);
  return object;
}

}  // namespace node_vae
