# symphony_schema(TARGET FILE.fbs …): an interface library with a generated C++ header <FILE>_generated.h for each schema,
# made in the build tree and never committed. GetFullyQualifiedName() is generated because a message's type id is its hash.
function(symphony_schema target)
  if(NOT ARGN)
    message(FATAL_ERROR "symphony_schema(${target}): name at least one .fbs file")
  endif()
  set(out "${CMAKE_CURRENT_BINARY_DIR}/generated")
  set(headers "")
  foreach(schema IN LISTS ARGN)
    get_filename_component(name "${schema}" NAME_WE)
    get_filename_component(path "${schema}" ABSOLUTE)
    set(header "${out}/${name}_generated.h")
    add_custom_command(
      OUTPUT "${header}"
      COMMAND "${SYMPHONY_FLATC}" --cpp --cpp-std c++17 --scoped-enums --gen-name-strings --warnings-as-errors -o "${out}" "${path}"
      DEPENDS "${path}"
      COMMENT "flatc ${name}.fbs"
      VERBATIM)
    list(APPEND headers "${header}")
  endforeach()
  add_custom_target(${target}_generate DEPENDS ${headers})
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE "${out}")
  target_link_libraries(${target} INTERFACE Symphony::flatbuffers)
  add_dependencies(${target} ${target}_generate)
endfunction()
