# The CA certificates of the build machine, as a copy that the executable carries for containers that have none.
set(ZCDP_CA_BUNDLE_SOURCE /etc/ssl/certs/ca-certificates.crt CACHE FILEPATH "PEM bundle to embed")
configure_file(${ZCDP_CA_BUNDLE_SOURCE} ${CMAKE_BINARY_DIR}/generated/ca_bundle.pem COPYONLY)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/net/tls_context.cpp TARGET_DIRECTORY zcdp_net PROPERTIES
  COMPILE_DEFINITIONS "ZCDP_CA_BUNDLE=\"${CMAKE_BINARY_DIR}/generated/ca_bundle.pem\"")
set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/net/tls_context.cpp TARGET_DIRECTORY zcdp_net APPEND PROPERTY
  OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/generated/ca_bundle.pem)
