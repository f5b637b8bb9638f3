#include "binding/borrow_input.h"

#include <string>

#include "binding/convert.h"
#include "core/error.h"

namespace node_vae {

void CheckInputDims(const ValueInfo& info, const std::vector<int64_t>& dims) {
  bool fits = dims.size() == info.dims.size();
  for (size_t d = 0; fits && d < dims.size(); ++d) fits = info.dims[d] < 0 || info.dims[d] == dims[d];
  if (fits) return;
  throw Error(code::kShape, "input '" + info.name + "': expected shape " + FormatShape(info.dims) + ", received " +
                                FormatShape(dims) + ".");
}

InferenceInput BorrowInput(napi_env env, const ValueInfo& info, int index, napi_value tensor, napi_value* array) {
  const auto what = [&] { return "input '" + info.name + "'"; };
  if (!IsObject(env, tensor)) throw Error(code::kOption, what() + ": expected { dtype, dims, data }.");
  InferenceInput input;
  input.index = index;
  input.dims = ToDims(env, Get(env, tensor, "dims"), "input");
  *array = Get(env, tensor, "data");
  const ArrayView view = ViewArray(env, *array, "input");
  if (!Holds(view.type, *info.type)) ViewArrayOf(env, *array, *info.type, what());  // throws
  CheckInputDims(info, input.dims);
  if (view.count != CountElements(input.dims)) {
    throw Error(code::kShape, what() + ": shape " + FormatShape(input.dims) + " has " +
                                  std::to_string(CountElements(input.dims)) + " elements, the array has " +
                                  std::to_string(view.count) + ".");
  }
  input.data = view.data;
  input.bytes = view.bytes;
  return input;
}

int OutputIndex(const Session& session, const std::string& name) {
  const int index = session.FindOutput(name);
  if (index < 0) {
    std::string known;
    for (const ValueInfo& info : session.outputs()) known += (known.empty() ? "'" : ", '") + info.name + "'";
    throw Error(code::kOption, "run(outputs): the model has no output '" + name + "'; it has " + known + ".");
  }
  if (session.outputs()[static_cast<size_t>(index)].type->bytes == 0) {
    throw Error(code::kShape, "output '" + name + "': string tensors are not supported.");
  }
  return index;
}

napi_value FeedOf(napi_env env, napi_value feeds, const ValueInfo& info) {
  napi_value tensor;
  if (GetOptional(env, feeds, info.name.c_str(), &tensor)) return tensor;
  throw Error(code::kShape, "run(feeds): the model's input '" + info.name + "' (" + info.type->name + " " +
                                FormatShape(info.dims) + ") was not given.");
}

}  // namespace node_vae
