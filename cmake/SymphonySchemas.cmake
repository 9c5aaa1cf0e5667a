# symphony_schema(TARGET FILE.fbs): an interface library with the generated C++ header <FILE>_generated.h, made in the
# build tree and never committed. GetFullyQualifiedName() is generated because a message's type id is its hash.
function(symphony_schema target schema)
  get_filename_component(name "${schema}" NAME_WE)
  get_filename_component(path "${schema}" ABSOLUTE)
  set(out "${CMAKE_CURRENT_BINARY_DIR}/generated")
  set(header "${out}/${name}_generated.h")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND "${SYMPHONY_FLATC}" --cpp --cpp-std c++17 --scoped-enums --gen-name-strings --warnings-as-errors -o "${out}" "${path}"
    DEPENDS "${path}"
    COMMENT "flatc ${name}.fbs"
    VERBATIM)
  add_custom_target(${target}_generate DEPENDS "${header}")
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE "${out}")
  target_link_libraries(${target} INTERFACE symphony_flatbuffers)
  add_dependencies(${target} ${target}_generate)
endfunction()
