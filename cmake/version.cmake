# The version comes from git: a tag `vX.Y.Z`, else 0.1.0, with the commit behind it. A tree without git says so.
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE ZCDP_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} describe --tags --match v* --abbrev=0
  OUTPUT_VARIABLE ZCDP_TAG OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} log -1 --format=%cs
  OUTPUT_VARIABLE ZCDP_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} status --porcelain --untracked-files=no
  OUTPUT_VARIABLE ZCDP_DIRTY OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT ZCDP_COMMIT)
  set(ZCDP_COMMIT "unknown")
endif()
if(ZCDP_DIRTY)
  string(APPEND ZCDP_COMMIT "-dirty")
endif()
if(NOT ZCDP_TAG)
  set(ZCDP_TAG "v0.1.0")
endif()
string(REGEX REPLACE "^v" "" ZCDP_VERSION ${ZCDP_TAG})
configure_file(${CMAKE_SOURCE_DIR}/cmake/version.hpp.in ${CMAKE_BINARY_DIR}/generated/zcdp_version.hpp @ONLY)
