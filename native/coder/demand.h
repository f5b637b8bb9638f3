#pragma once

#include <string>

#include "core/error.h"

namespace node_vae::coder {

// Refuses the numbers of a codec model that do not fit together; `what` says which.
inline void Demand(bool holds, const std::string& what) {
  if (!holds) throw Error(code::kFormat, "The codec model is damaged: " + what + ".");
}

}  // namespace node_vae::coder
