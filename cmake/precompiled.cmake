# One precompiled header (src/precompiled.hpp) for each set of flags that clang distinguishes: speed, size. The layers share
# them. ccache is told by cmake/pch_sum.sh what is in one, so that clones of the tree share what was compiled.
function(zcdp_precompiled name header)
  file(WRITE ${CMAKE_BINARY_DIR}/generated/${name}.cpp "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
  target_link_libraries(${name} PRIVATE zcdp_flags zcdp_deps)
  target_compile_options(${name} PRIVATE ${ARGN})
  target_precompile_headers(${name} PRIVATE ${CMAKE_SOURCE_DIR}/${header})
  if(CCACHE)
    set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/cmake/pch_sum.sh)
  endif()
endfunction()

# Not by REUSE_FROM: that names an absolute path, by which ccache would tell trees apart. The path is as ninja sees it.
function(zcdp_use_precompiled target name)
  get_target_property(folder ${name} BINARY_DIR)
  cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${CMAKE_BINARY_DIR})
  set(pch ${folder}/CMakeFiles/${name}.dir/cmake_pch.hxx.pch)
  target_compile_options(${target} PRIVATE -Winvalid-pch "SHELL:-Xclang -include-pch -Xclang ${pch}")
  get_target_property(sources ${target} SOURCES)
  set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/${pch})
  add_dependencies(${target} ${name})
endfunction()

zcdp_precompiled(zcdp_precompiled_speed src/precompiled.hpp)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  zcdp_precompiled(zcdp_precompiled_size src/precompiled.hpp -Os)
endif()
