#include "ort/types.h"

namespace node_vae {
namespace {

constexpr ElementType kTypes[] = {
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, "float32", 4},    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, "float16", 2},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, "float64", 8},   {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, "bfloat16", 2},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, "int8", 1},        {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, "int16", 2},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, "int32", 4},      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, "int64", 8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, "uint8", 1},      {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, "uint16", 2},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, "uint32", 4},    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, "uint64", 8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, "bool", 1},        {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, "string", 0},
};

}  // namespace

const ElementType* FindElementType(ONNXTensorElementDataType type) noexcept {
  for (const ElementType& entry : kTypes) {
    if (entry.type == type) return &entry;
  }
  return nullptr;
}

const ElementType* FindElementType(const std::string& name) noexcept {
  for (const ElementType& entry : kTypes) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

std::string FormatShape(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) text += ",";
    text += dims[i] < 0 ? "?" : std::to_string(dims[i]);
  }
  return text + "]";
}

int64_t ElementCount(const std::vector<int64_t>& dims) noexcept {
  int64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim < 0) return -1;
    count *= dim;
  }
  return count;
}

}  // namespace node_vae
