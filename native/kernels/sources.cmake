# Sources of the kernels, with the flags some of them need.
file(GLOB NODE_VAE_KERNELS_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*.cc")
set(NODE_VAE_KERNELS_DEFINITIONS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT MSVC AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
  # Each of these holds one set of kernels, chosen when they run.
  set(NODE_VAE_KERNELS_DEFINITIONS NODE_VAE_KERNELS_X86=1)
  set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/simd_kernels_avx2.cc" PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/int8_product_avx2.cc" PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/int8_product_vnni.cc" PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512vl;-mavx512bw;-mavx512vnni;-Wno-uninitialized;-Wno-maybe-uninitialized")
  # GCC warns of variables in its own header that are uninitialised on purpose.
  set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/simd_kernels_avx512.cc" PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512vl;-mfma;-Wno-uninitialized;-Wno-maybe-uninitialized")
endif()
