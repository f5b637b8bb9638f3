#include "core/heap.h"

#include <cstddef>  // defines __GLIBC__ where it is the C library

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace node_vae {

void GiveMemoryBack() noexcept {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace node_vae
