# symphony_add_pit(NAME dag_tracker SOURCES … SCHEMAS … [RELEASED …] [USES …] [MODES …] [RESTORES n m]): one source, the
# forms of a pit.
#   symphony_schema_<name>   generated headers of its messages, for the pit and its callers
#   symphony_static_<name>   the pit as a library; find it with SYMPHONY_DECLARE_PIT(<name>) and symphony_pit_<name>()
#   symphony_shared_<name>   <build>/pits/<name>.so, for the modes dynamic (loaded into a program) and process (loaded by
#                            symphony-pit-host); it exports one symbol
#   symphony_process_<name>  all that the mode process needs: that and the program symphony-pit-host
#   symphony_note_<name>     <build>/pits/<name>.note, the bytes of its note without the head of an ELF note
#   symphony_wasm_<name>     what symphony_wasm_module (cmake/SymphonyWasm.cmake) makes of it
# MODES are of: static dynamic process wasm; without it all that can be built here. RESTORES are the oldest and the newest
# revision of snapshots that it restores; its class must agree. USES are further libraries of the pit itself; a pit that
# should run everywhere has none. RELEASED are schemas as they were released, files of the same names in another folder: a
# change of SCHEMAS with which callers of before could not go on fails the build. <build>/pits/<name>.pit.json says which modes were built and why others were not.
set(SYMPHONY_PIT_MODES static dynamic process wasm)
set(SYMPHONY_PIT_EXPORTS "${CMAKE_CURRENT_LIST_DIR}/pit_exports.map")

# <out>: the first 64 bits of the SHA-256 of the files one after the other, as a number. Changed files configure anew.
function(symphony_schema_hash out)
  set(all "")
  foreach(file IN LISTS ARGN)
    get_filename_component(path "${file}" ABSOLUTE)
    file(READ "${path}" text)
    string(APPEND all "${text}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
  endforeach()
  string(SHA256 hash "${all}")
  string(SUBSTRING "${hash}" 0 16 hash)
  set(${out} "0x${hash}" PARENT_SCOPE)
endfunction()

# What both native forms are compiled with.
function(symphony_pit_sources target name hash restores sources uses)
  target_sources(${target} PRIVATE ${sources})
  target_link_libraries(${target} PUBLIC Symphony::pit symphony_schema_${name} PRIVATE ${uses})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE SYMPHONY_SCHEMA_HASH=${hash}ULL ${restores})
endfunction()

# How a pit's shared object is compiled and linked, whatever its name.
function(symphony_pit_shared_options target)
  target_compile_definitions(${target} PRIVATE SYMPHONY_PIT_SHARED)
  # GCC makes local statics of inline functions unique for the whole process: two versions of a pit would share them.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${target} PRIVATE -Wl,-z,nodelete,-z,now,-z,relro "-Wl,--version-script=${SYMPHONY_PIT_EXPORTS}")
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize=")  # whose run time is in the program
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" NO_SONAME ON LINK_DEPENDS "${SYMPHONY_PIT_EXPORTS}"
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# The rule for <file>: the bytes of the note of the one pit in <target>, a shared object or a program, without the 24 bytes
# of the head of an ELF note (docs/formats/pit-abi.md). What depends on the file stands in the same folder.
function(symphony_pit_note file target)
  add_custom_command(OUTPUT "${file}"
    COMMAND "${CMAKE_OBJCOPY}" -O binary --only-section=.note.symphony.pit "$<TARGET_FILE:${target}>" "${file}.elf"
    COMMAND tail -c +25 "${file}.elf" > "${file}"
    COMMAND "${CMAKE_COMMAND}" -E rm "${file}.elf"
    DEPENDS ${target} COMMENT "note of ${target}" VERBATIM)
endfunction()

# The shared object with one exported symbol, and the note taken out of it.
function(symphony_pit_shared name hash restores sources uses)
  add_library(symphony_shared_${name} MODULE)
  symphony_pit_sources(symphony_shared_${name} ${name} ${hash} "${restores}" "${sources}" "${uses}")
  symphony_pit_shared_options(symphony_shared_${name})
  set_target_properties(symphony_shared_${name} PROPERTIES OUTPUT_NAME "${name}"
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/pits")

  symphony_pit_note("${CMAKE_BINARY_DIR}/pits/${name}.note" symphony_shared_${name})
  add_custom_target(symphony_note_${name} DEPENDS "${CMAKE_BINARY_DIR}/pits/${name}.note")
endfunction()

# For people: a line of the summary. For programs: what `symphony pit list` reads.
function(symphony_pit_report name built missing)
  string(REPLACE ";" " " line "${built}")
  set(json "")
  foreach(mode IN LISTS built)
    list(APPEND json "{\"mode\": \"${mode}\", \"built\": true}")
  endforeach()
  foreach(entry IN LISTS missing)
    string(REGEX MATCH "^[a-z]+" mode "${entry}")
    string(REGEX REPLACE "^[a-z]+: " "" reason "${entry}")
    string(APPEND line "; ${mode} not built: ${reason}")
    string(REGEX REPLACE "([\"\\])" "\\\\\\1" reason "${reason}")
    list(APPEND json "{\"mode\": \"${mode}\", \"built\": false, \"reason\": \"${reason}\"}")
  endforeach()
  message(STATUS "pit ${name}: ${line}")
  list(JOIN json ",\n  " json)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/pits/${name}.pit.json" CONTENT "{\"name\": \"@name@\", \"modes\": [
  @json@
]}
" @ONLY)
endfunction()

function(symphony_add_pit)
  cmake_parse_arguments(arg "" "NAME" "SOURCES;SCHEMAS;RELEASED;USES;MODES;RESTORES" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES OR NOT arg_SCHEMAS)
    message(FATAL_ERROR "symphony_add_pit: want NAME name SOURCES files SCHEMAS files [RELEASED files] [USES libraries] [MODES modes] [RESTORES oldest newest], got: ${ARGN}")
  endif()
  if(NOT arg_NAME MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "symphony_add_pit: '${arg_NAME}' is no pit name: a lower-case letter, then lower-case letters, digits or _")
  endif()
  set(name "${arg_NAME}")
  foreach(mode IN LISTS arg_MODES)
    if(NOT mode IN_LIST SYMPHONY_PIT_MODES)
      message(FATAL_ERROR "symphony_add_pit(${name}): no mode '${mode}'; the modes are: ${SYMPHONY_PIT_MODES}")
    endif()
  endforeach()
  set(restores "")
  if(arg_RESTORES)
    if(NOT arg_RESTORES MATCHES "^[1-9][0-9]*;[1-9][0-9]*$")
      message(FATAL_ERROR "symphony_add_pit(${name}): RESTORES wants two revisions, the oldest and the newest, got: ${arg_RESTORES}")
    endif()
    list(GET arg_RESTORES 0 oldest)
    list(GET arg_RESTORES 1 newest)
    set(restores "SYMPHONY_PIT_RESTORES_MIN=${oldest};SYMPHONY_PIT_RESTORES_MAX=${newest}")
  endif()

  # Why a mode is not built; empty if it is.
  foreach(mode IN LISTS SYMPHONY_PIT_MODES)
    set(why_${mode} "")
    if(arg_MODES AND NOT mode IN_LIST arg_MODES)
      set(why_${mode} "not among its MODES")
    endif()
  endforeach()
  if(NOT why_process AND NOT TARGET Symphony::pit-host)
    set(why_process "this tree has no target symphony-pit-host")
  endif()
  if(NOT why_wasm)
    if(COMMAND symphony_wasm_missing)
      symphony_wasm_missing(why_wasm)
    else()
      set(why_wasm "this tree cannot build WebAssembly modules")
    endif()
  endif()

  symphony_schema(symphony_schema_${name} ${arg_SCHEMAS})
  symphony_schema_conforms(symphony_schema_${name} RELEASED ${arg_RELEASED} SCHEMAS ${arg_SCHEMAS})
  symphony_schema_hash(hash ${arg_SCHEMAS})
  if(NOT why_static)
    add_library(symphony_static_${name} STATIC)
    symphony_pit_sources(symphony_static_${name} ${name} ${hash} "${restores}" "${arg_SOURCES}" "${arg_USES}")
  endif()
  if(NOT (why_dynamic AND why_process AND why_wasm))
    symphony_pit_shared(${name} ${hash} "${restores}" "${arg_SOURCES}" "${arg_USES}")
  endif()
  if(NOT why_process)
    add_custom_target(symphony_process_${name})
    add_dependencies(symphony_process_${name} symphony_shared_${name} Symphony::pit-host)
  endif()
  if(NOT why_wasm)
    symphony_wasm_module(${name} SOURCES ${arg_SOURCES} SCHEMA symphony_schema_${name}
      NOTE "${CMAKE_BINARY_DIR}/pits/${name}.note" DEFINES SYMPHONY_SCHEMA_HASH=${hash}ULL ${restores})
  endif()

  set(built "")
  set(missing "")
  foreach(mode IN LISTS SYMPHONY_PIT_MODES)
    if(why_${mode})
      list(APPEND missing "${mode}: ${why_${mode}}")
    else()
      list(APPEND built ${mode})
    endif()
  endforeach()
  symphony_pit_report(${name} "${built}" "${missing}")
  set_property(GLOBAL PROPERTY SYMPHONY_PIT_BUILT_${name} "${built}")
endfunction()

# symphony_pit_tests(greeter): the conformance suite as tests check.<name>.<mode>, one for each mode that symphony_add_pit
# builds of that pit. The program check_<name> runs them and has the pit linked in, so mode static has to be among them.
# Call enable_testing() before it.
function(symphony_pit_tests name)
  get_property(built GLOBAL PROPERTY SYMPHONY_PIT_BUILT_${name})
  if(NOT "static" IN_LIST built)
    message(FATAL_ERROR "symphony_pit_tests(${name}): call symphony_add_pit(NAME ${name} …) first, with mode static among its MODES")
  endif()
  add_executable(check_${name} "${SYMPHONY_PIT_CHECK_MAIN}")
  target_compile_definitions(check_${name} PRIVATE SYMPHONY_CHECKED_PIT=${name})
  target_link_libraries(check_${name} PRIVATE symphony_static_${name} Symphony::pit-check)
  foreach(mode IN LISTS built)
    if(TARGET symphony_${mode}_${name})
      add_dependencies(check_${name} symphony_${mode}_${name})
    endif()
    add_test(NAME check.${name}.${mode} COMMAND check_${name} "${CMAKE_BINARY_DIR}/pits/${name}.so" ${mode}
      "$<TARGET_FILE:Symphony::pit-host>" "${SYMPHONY_KEEPER}")
    set_tests_properties(check.${name}.${mode} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
  endforeach()
  if(TARGET symphony_shared_${name})
    add_dependencies(check_${name} symphony_shared_${name})
  endif()
endfunction()
