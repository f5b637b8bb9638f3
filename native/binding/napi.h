#pragma once

// The one include of Node-API. Build settings (version, exceptions) are in CMakeLists.txt.
#include <napi.h>
