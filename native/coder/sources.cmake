# Sources of the coder, with the flags some of them need; included by both builds.
file(GLOB NODE_VAE_CODER_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*.cc" "${CMAKE_CURRENT_LIST_DIR}/photo/*.cc")
set(NODE_VAE_CODER_DEFINITIONS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT MSVC AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
  # Each of these holds one kernel, chosen when it runs.
  set(NODE_VAE_CODER_DEFINITIONS NODE_VAE_CODER_X86=1)
  foreach(_kernel matrix dense)
    set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/${_kernel}_kernel_avx2.cc" PROPERTIES COMPILE_OPTIONS "-mavx2")
    set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/${_kernel}_kernel_avx512.cc" PROPERTIES
      COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vnni")
  endforeach()
  set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/dense_inputs_avx512.cc" PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vnni;-mavx512vbmi2")
endif()
