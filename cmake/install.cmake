# cmake --install of a release: the executable, completions where each shell looks for them, the man page, licence and
# README. Completions and man page are made from what zcdp prints, by the target zcdp_extras.
include(GNUInstallDirs)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(extras ${CMAKE_BINARY_DIR}/extras)
file(MAKE_DIRECTORY ${extras})

function(zcdp_completion shell file folder)
  add_custom_command(OUTPUT ${extras}/${file} COMMAND zcdp completion ${shell} > ${extras}/${file} DEPENDS zcdp VERBATIM)
  install(FILES ${extras}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
endfunction()
zcdp_completion(bash zcdp bash-completion/completions)
zcdp_completion(zsh _zcdp zsh/site-functions)
zcdp_completion(fish zcdp.fish fish/vendor_completions.d)

add_custom_command(OUTPUT ${extras}/zcdp.1
  COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/cmake/man_page.py $<TARGET_FILE:zcdp> "${ZCDP_DATE}" > ${extras}/zcdp.1
  DEPENDS zcdp ${CMAKE_SOURCE_DIR}/cmake/man_page.py VERBATIM)
install(FILES ${extras}/zcdp.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
add_custom_target(zcdp_extras ALL DEPENDS ${extras}/zcdp ${extras}/_zcdp ${extras}/zcdp.fish ${extras}/zcdp.1)

install(TARGETS zcdp RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
