# symphony_schema(TARGET FILE.fbs …): an interface library with a generated C++ header <FILE>_generated.h for each schema,
# made in the build tree and never committed. GetFullyQualifiedName() is generated because a message's type id is its hash.
set(SYMPHONY_CONFORM "${CMAKE_CURRENT_LIST_DIR}/SymphonyConform.cmake")

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

# symphony_schema_conforms(TARGET RELEASED OLD.fbs … SCHEMAS NEW.fbs …): before the headers of the symphony_schema TARGET are
# used, each of its schemas is compared with the released one of the same file name: a change with which callers of before
# could not go on fails the build.
function(symphony_schema_conforms target)
  cmake_parse_arguments(arg "" "" "RELEASED;SCHEMAS" ${ARGN})
  foreach(released IN LISTS arg_RELEASED)
    get_filename_component(name "${released}" NAME)
    get_filename_component(old "${released}" ABSOLUTE)
    set(schemas ${arg_SCHEMAS})
    list(FILTER schemas INCLUDE REGEX "(^|/)${name}$")
    list(LENGTH schemas count)
    if(NOT EXISTS "${old}" OR NOT count EQUAL 1)
      message(FATAL_ERROR "symphony_schema_conforms(${target}): ${released} is to be a file with the name of one of the schemas: ${arg_SCHEMAS}")
    endif()
    get_filename_component(new "${schemas}" ABSOLUTE)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/conform/${name}")
    add_custom_command(OUTPUT "${folder}.ok"
      COMMAND "${CMAKE_COMMAND}" "-DFLATC=${SYMPHONY_FLATC}" "-DOLD=${old}" "-DNEW=${new}" "-DFOLDER=${folder}" -P "${SYMPHONY_CONFORM}"
      COMMAND "${CMAKE_COMMAND}" -E touch "${folder}.ok"
      DEPENDS "${old}" "${new}" "${SYMPHONY_CONFORM}" COMMENT "${name} conforms to what was released" VERBATIM)
    string(MAKE_C_IDENTIFIER "${target}_conforms_${name}" check)
    add_custom_target(${check} DEPENDS "${folder}.ok")
    add_dependencies(${target}_generate ${check})
  endforeach()
endfunction()
