#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ort/api.h"

namespace node_vae {

// An element type with its name in JavaScript and its size.
struct ElementType {
  ONNXTensorElementDataType type;
  const char* name;
  size_t bytes;  // 0 for strings
};

// nullptr for types that have no name in JavaScript.
const ElementType* FindElementType(ONNXTensorElementDataType type) noexcept;
const ElementType* FindElementType(const std::string& name) noexcept;

struct ValueInfo {
  std::string name;
  const ElementType* type = nullptr;
  std::vector<int64_t> dims;  // -1 where dynamic
  std::vector<std::string> symbols;
};

// "[-1,784]", for messages.
std::string FormatShape(const std::vector<int64_t>& dims);

// Product of dims; -1 when one of them is dynamic.
int64_t ElementCount(const std::vector<int64_t>& dims) noexcept;
// The same for a shape known to have no dynamic dimension.
inline size_t CountElements(const std::vector<int64_t>& dims) noexcept { return static_cast<size_t>(ElementCount(dims)); }

}  // namespace node_vae
