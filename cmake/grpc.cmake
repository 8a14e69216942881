# gRPC and protobuf from Debian, for the CSI node plugin. pkg-config --static leaves libraries out and repeats others
# hundreds of times, so its -l names are taken once each, put between --start-group and --end-group.
find_package(PkgConfig REQUIRED)
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
if(ZCDP_STATIC)
  execute_process(COMMAND ${PKG_CONFIG_EXECUTABLE} --static --libs-only-l grpc++_unsecure protobuf-lite
    OUTPUT_VARIABLE grpc_names OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(grpc_names)
  list(FILTER grpc_names INCLUDE REGEX "^-l")
  list(APPEND grpc_names -lupb -laddress_sorting -lcares -lre2 -lz)
  list(REMOVE_DUPLICATES grpc_names)
  set(grpc_libraries -Wl,--start-group ${grpc_names} -Wl,--end-group)
else()
  set(grpc_libraries -lgrpc++_unsecure -lgrpc_unsecure -lgpr -lprotobuf-lite)
endif()

# The sources that include generated headers wait for them.
set(proto_out ${CMAKE_BINARY_DIR}/generated/csi)
file(MAKE_DIRECTORY ${proto_out})
set(proto_sources)
foreach(name csi registration)
  set(outputs ${proto_out}/${name}.pb.cc ${proto_out}/${name}.pb.h ${proto_out}/${name}.grpc.pb.cc ${proto_out}/${name}.grpc.pb.h)
  add_custom_command(OUTPUT ${outputs}
    COMMAND ${PROTOC} -I ${CMAKE_SOURCE_DIR}/src/kube/csi --cpp_out=lite:${proto_out} --grpc_out=${proto_out}
            --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${name}.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/src/kube/csi/${name}.proto VERBATIM)
  list(APPEND proto_sources ${outputs})
endforeach()
# Generated code and its headers are not held to our warnings.
add_library(zcdp_proto STATIC ${proto_sources})
# No message is described or printed: the lite runtime is a megabyte less of the executable.
target_compile_definitions(zcdp_proto PRIVATE GRPC_USE_PROTO_LITE=1)
target_include_directories(zcdp_proto SYSTEM PUBLIC ${proto_out})
target_compile_options(zcdp_proto PRIVATE -w $<$<CONFIG:Release>:-Os> -ffunction-sections -fdata-sections -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_link_libraries(zcdp_proto PUBLIC ${grpc_libraries})
if(ZCDP_SANITIZE)
  target_compile_options(zcdp_proto PRIVATE -fsanitize=${ZCDP_SANITIZE})
endif()
