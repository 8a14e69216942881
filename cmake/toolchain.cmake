# Compiler, warnings and linking that every target shares.
find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers: ccache takes time stamps and macros in them as they are, and knows them by their .sum.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_PCH_EXTSUM=1 ${CCACHE})
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

# Thread safety: locks are named at the fields (zcdp/base/guarded.hpp).
add_library(zcdp_flags INTERFACE)
target_compile_options(zcdp_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wthread-safety
  -Wno-missing-field-initializers -ffunction-sections -fdata-sections -fno-omit-frame-pointer
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_include_directories(zcdp_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR})
target_link_options(zcdp_flags INTERFACE -fuse-ld=lld -Wl,--gc-sections)
if(ZCDP_TEST_HOOKS)
  target_compile_definitions(zcdp_flags INTERFACE ZCDP_TEST_HOOKS=1)
endif()
if(ZCDP_SANITIZE)
  target_compile_options(zcdp_flags INTERFACE -fsanitize=${ZCDP_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(zcdp_flags INTERFACE -fsanitize=${ZCDP_SANITIZE})
endif()
