# find_package(sluice): the target sluice::plugin, for native plugins: the header, and what makes a shared object one.
get_filename_component(SLUICE_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET sluice::plugin)
  add_library(sluice::plugin INTERFACE IMPORTED)
  set_target_properties(sluice::plugin PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${SLUICE_PREFIX}/include"
    INTERFACE_COMPILE_OPTIONS "-fPIC;-fvisibility=hidden")
  # NAME.so, as a connector is named.
  set(CMAKE_SHARED_MODULE_PREFIX "")
endif()
