# All manifests as one text that the executable carries, in the order of manifests/kustomization.yaml.
file(STRINGS ${CMAKE_SOURCE_DIR}/manifests/kustomization.yaml lines REGEX "^- ")
set(manifest_files)
set(manifest_text "")
foreach(line ${lines})
  string(REGEX REPLACE "^- " "" name ${line})
  list(APPEND manifest_files ${CMAKE_SOURCE_DIR}/manifests/${name})
  file(READ ${CMAKE_SOURCE_DIR}/manifests/${name} text)
  string(APPEND manifest_text "---\n" "${text}")
endforeach()
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated/manifests.yaml CONTENT "${manifest_text}")
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${manifest_files} ${CMAKE_SOURCE_DIR}/manifests/kustomization.yaml)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/services/install/manifests.cpp TARGET_DIRECTORY zcdp_services PROPERTIES
  COMPILE_DEFINITIONS "ZCDP_MANIFESTS=\"${CMAKE_BINARY_DIR}/generated/manifests.yaml\"")
set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/services/install/manifests.cpp TARGET_DIRECTORY zcdp_services APPEND PROPERTY
  OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/generated/manifests.yaml)
