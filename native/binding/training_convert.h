#pragma once

#include "binding/kept.h"
#include "binding/napi.h"
#include "training/session.h"

namespace node_vae {

// Options and requests of src/binding/addon.ts, checked.
TrainingConfig ToTrainingConfig(Napi::Env env, Napi::Object options);
OptimizerSpec ToOptimizerSpec(Napi::Env env, Napi::Object options);
RowData ToRowData(Napi::Env env, const Napi::Value& array, const Napi::Value& count, const Napi::Value& transform,
                  const FeedSpec& feed);
Slot ToSlot(const Napi::Value& name);

// Copies everything but given tensors, which are borrowed: `held` collects their arrays.
TrainRequest ToTrainRequest(Napi::Env env, const Napi::Value& value, const TrainingSession& session,
                            Napi::Array& held);
EvalRequest ToEvalRequest(Napi::Env env, const Napi::Value& value, const TrainingSession& session, Napi::Array& held);

Napi::Object FromTrainResult(Napi::Env env, const TrainResult& result, const std::vector<std::string>& scalars);
napi_value FromFloats(napi_env env, const std::vector<float>& values);

}  // namespace node_vae
