# Compiler, warnings and linking that every target shares.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(zcdp_flags INTERFACE)
target_compile_options(zcdp_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
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
