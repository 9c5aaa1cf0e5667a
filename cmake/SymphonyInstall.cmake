# What `cmake --install` puts where, for people who write pits: programs, our pits, the template of `symphony pit new`, and a
# CMake package; for people who call them: the C library. Included when the tree is the top one, after all targets are there.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/Symphony")
install(TARGETS symphony RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS symphony-pit-host EXPORT Symphony RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
# The guest's side of WebAssembly pits is compiled with each pit, in the tree that it has here.
install(TARGETS symphony_wasm_check EXPORT Symphony RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/symphony")
install(FILES pits/hosting/wasm/shim.c pits/hosting/wasm/module_table.h DESTINATION share/symphony/wasm/pits/hosting/wasm)
install(FILES pits/hosting/wasm/guest/guest.cpp pits/hosting/wasm/guest/wasi_stubs.c
  DESTINATION share/symphony/wasm/pits/hosting/wasm/guest)
install(TARGETS symphony_pit symphony_flatbuffers EXPORT Symphony
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS symphony_c EXPORT Symphony LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
# Where symphony-pit-host finds it, for pits in Python; programs get it as a wheel (tools/wheel).
file(CREATE_LINK "${PROJECT_SOURCE_DIR}/bindings/python" "${PROJECT_BINARY_DIR}/python" SYMBOLIC)
install(DIRECTORY bindings/python/symphony_ipc DESTINATION lib/symphony/python FILES_MATCHING PATTERN "*.py" PATTERN "py.typed")
# From its own folder, so that the installed tree may be moved.
file(RELATIVE_PATH SYMPHONY_PREFIX_FROM_PKGCONFIG "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/cmake/symphony.pc.in" "${PROJECT_BINARY_DIR}/symphony.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/symphony.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(EXPORT Symphony NAMESPACE Symphony:: FILE SymphonyTargets.cmake DESTINATION "${package}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/SymphonyConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/SymphonyConfig.cmake" INSTALL_DESTINATION "${package}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/SymphonyConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/SymphonyConfig.cmake" "${PROJECT_BINARY_DIR}/SymphonyConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/SymphonySchemas.cmake" "${PROJECT_SOURCE_DIR}/cmake/SymphonyConform.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/SymphonyPit.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/SymphonyWasm.cmake" "${PROJECT_SOURCE_DIR}/cmake/pit_exports.map" DESTINATION "${package}")

# Where the programs look, beside their own folder: lib, whatever the system calls its folder of libraries.
foreach(pit greeter dag_tracker pool_manager)
  install(TARGETS symphony_shared_${pit} LIBRARY DESTINATION lib/symphony/pits)
  if(TARGET symphony_wasm_${pit})
    install(TARGETS symphony_wasm_${pit} LIBRARY DESTINATION lib/symphony/pits)
  endif()
  install(FILES "${PROJECT_BINARY_DIR}/pits/${pit}.pit.json" DESTINATION lib/symphony/pits)
endforeach()

# The template, where the program of the build tree finds it too.
foreach(pair greeter.cpp:pit.cpp greeter.fbs:pit.fbs CMakeLists.txt:CMakeLists.txt new_pit.md:README.md)
  string(REPLACE ":" ";" pair "${pair}")
  list(GET pair 0 from)
  list(GET pair 1 to)
  configure_file("${PROJECT_SOURCE_DIR}/pits/template/${from}" "${PROJECT_BINARY_DIR}/share/symphony/template/${to}" COPYONLY)
endforeach()
install(DIRECTORY "${PROJECT_BINARY_DIR}/share/symphony/template" DESTINATION share/symphony)
