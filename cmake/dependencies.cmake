# Debian's packages only; scripts/lib/deps.sh installs them.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
if(ZCDP_STATIC)
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(ZCDP_LIB_SUFFIX .a)
else()
  set(ZCDP_LIB_SUFFIX .so)
endif()
find_package(OpenSSL 3.0 REQUIRED)
find_library(ZSTD_LIB NAMES libzstd${ZCDP_LIB_SUFFIX} REQUIRED)
find_library(SQLITE_LIB NAMES libsqlite3${ZCDP_LIB_SUFFIX} REQUIRED)
find_library(YAML_LIB NAMES libyaml-cpp${ZCDP_LIB_SUFFIX} REQUIRED)

add_library(zcdp_deps INTERFACE)
target_include_directories(zcdp_deps SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
# Asio and Beast are compiled once, in src/base/separate.cpp, instead of in every file that includes them.
target_compile_definitions(zcdp_deps INTERFACE
  BOOST_ALL_NO_LIB=1
  BOOST_ASIO_SEPARATE_COMPILATION=1 BOOST_ASIO_NO_DEPRECATED=1 BOOST_BEAST_SEPARATE_COMPILATION=1)
target_link_libraries(zcdp_deps INTERFACE OpenSSL::SSL OpenSSL::Crypto ${SQLITE_LIB} ${ZSTD_LIB} ${YAML_LIB}
  Threads::Threads ${CMAKE_DL_LIBS})
