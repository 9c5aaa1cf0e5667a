# symphony_wasm_module(greeter SOURCES … NOTE file [SCHEMA symphony_schema_greeter] [DEFINES …] [MEMORY_MAX bytes]
#                      [STACK_SIZE bytes] [FOLDER folder]):
# the pit's sources once more, to WebAssembly, from there to C, and to a shared object that pits/hosting/wasm loads.
#   symphony_wasm_<name>     builds FOLDER/<name>_wasm.so, <build>/pits without it, and on the way wasm_<name>/pit.wasm in the folder's own
# NOTE is the file with the pit's note (symphony_pit_note makes one of a native form); it travels in both.
# Where the tools are missing nothing is built, a line says so, and the global property SYMPHONY_NOT_BUILT has the reason.
#
# The tools and versions are one set: wasm2c 1.0.32 names the functions that shim.c calls, and the C++ libraries for
# wasm32 are those of clang 14.

# Where the guest's side of the mode lies, and the contract's headers: this tree, or what was installed of it.
if(NOT SYMPHONY_WASM_SOURCES)
  set(SYMPHONY_WASM_SOURCES "${PROJECT_SOURCE_DIR}")
  set(SYMPHONY_WASM_CONTRACT "${PROJECT_SOURCE_DIR}/pits/contract/include")
endif()

# Sets <out> to why WebAssembly pits cannot be built here; empty if they can.
function(symphony_wasm_missing out)
  if(NOT DEFINED CACHE{SYMPHONY_WASM_MISSING})
    find_program(SYMPHONY_WASM_CXX clang++-14)
    find_program(SYMPHONY_WASM_LD wasm-ld-14)
    find_program(SYMPHONY_WASM_OBJCOPY llvm-objcopy-14)
    find_program(SYMPHONY_WASM2C wasm2c)
    find_file(SYMPHONY_WASM_RT_H wasm-rt.h)
    set(missing "")
    foreach(tool IN ITEMS SYMPHONY_WASM_CXX:clang-14 SYMPHONY_WASM_LD:lld-14 SYMPHONY_WASM_OBJCOPY:llvm-14
        SYMPHONY_WASM2C:wabt SYMPHONY_WASM_RT_H:wabt)
      string(REPLACE ":" ";" tool "${tool}")
      list(GET tool 0 variable)
      list(GET tool 1 package)
      if(NOT ${variable})
        list(APPEND missing "${package}")
      endif()
    endforeach()
    if(NOT missing)
      execute_process(COMMAND "${SYMPHONY_WASM2C}" --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
      if(NOT version VERSION_EQUAL 1.0.32)
        list(APPEND missing "wabt 1.0.32 (found ${version})")
      endif()
      # One program that needs every library at once.
      set(probe "${CMAKE_BINARY_DIR}/wasm_probe.cpp")
      file(WRITE "${probe}" "#include <string>\n#include <vector>\n__attribute__((export_name(\"f\"))) int f(int n) {\n"
        "  std::vector<std::string> v(static_cast<unsigned>(n), \"a\");\n  return static_cast<int>(v.size());\n}\n")
      execute_process(COMMAND "${SYMPHONY_WASM_CXX}" --target=wasm32-wasi -mexec-model=reactor -std=c++20 -fno-exceptions
        "${probe}" -o "${probe}.wasm" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_VARIABLE said)
      if(failed)
        list(APPEND missing "wasi-libc, libc++-14-dev-wasm32, libc++abi-14-dev-wasm32 or libclang-rt-14-dev-wasm32")
        message(VERBOSE "${said}")
      endif()
    endif()
    list(REMOVE_DUPLICATES missing)
    list(JOIN missing ", " missing)
    if(missing)
      # Not remembered: the next configure looks again.
      set(${out} "WebAssembly pits need the packages: ${missing}" PARENT_SCOPE)
      return()
    endif()
    set(SYMPHONY_WASM_MISSING "" CACHE INTERNAL "the tools for WebAssembly pits are there")
  endif()
  set(${out} "" PARENT_SCOPE)
endfunction()

# The system's include folder would bring its own C library: only flatbuffers is let through.
function(symphony_wasm_include out)
  set(folder "${CMAKE_BINARY_DIR}/wasm-include")
  file(MAKE_DIRECTORY "${folder}")
  file(CREATE_LINK "${SYMPHONY_FLATBUFFERS_DIR}/flatbuffers" "${folder}/flatbuffers" SYMBOLIC)
  set(${out} "${folder}" PARENT_SCOPE)
endfunction()

# One object of one source, with its dependencies followed.
function(symphony_wasm_object source object)
  cmake_parse_arguments(arg "" "SCHEMA" "OPTIONS" ${ARGN})
  set(compiler "${SYMPHONY_WASM_CXX}")
  set(standard -std=c++20 -fno-exceptions -fno-rtti)
  if(source MATCHES "\\.c$")
    set(standard -x c -std=c17)
  endif()
  symphony_wasm_include(include)
  set(options ${CMAKE_CXX_COMPILER_LAUNCHER} "${compiler}" --target=wasm32-wasi -O2 ${standard} -fvisibility=hidden
    -DNDEBUG -Wall -Wextra -isystem "${include}" "-I${SYMPHONY_WASM_CONTRACT}" "-I${SYMPHONY_WASM_SOURCES}")
  set(generated "")
  if(arg_SCHEMA)
    # Its own folder, not what it links: that would bring the system's include folder.
    get_target_property(folders ${arg_SCHEMA} INTERFACE_INCLUDE_DIRECTORIES)
    list(TRANSFORM folders PREPEND "-isystem")
    list(APPEND options ${folders})
    set(generated ${arg_SCHEMA}_generate)
  endif()
  add_custom_command(OUTPUT "${object}"
    COMMAND ${options} ${arg_OPTIONS} -MD -MT "${object}" -MF "${object}.d" -c "${source}" -o "${object}"
    DEPENDS "${source}" ${generated} DEPFILE "${object}.d"
    COMMENT "wasm32 ${object}" COMMAND_EXPAND_LISTS VERBATIM)
endfunction()

function(symphony_wasm_module name)
  cmake_parse_arguments(arg "" "SCHEMA;NOTE;FOLDER;MEMORY_MAX;STACK_SIZE" "SOURCES;DEFINES" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES OR NOT arg_NOTE)
    message(FATAL_ERROR "symphony_wasm_module(${name}): want SOURCES files NOTE file [SCHEMA library] [DEFINES …] [MEMORY_MAX bytes] [STACK_SIZE bytes], got: ${ARGN}")
  endif()
  symphony_wasm_missing(missing)
  if(NOT missing AND NOT TARGET Symphony::wasm-check)
    set(missing "this tree has no target Symphony::wasm-check: add pits after pits/hosting")
  endif()
  if(missing)
    message(STATUS "pit ${name}: not built for wasm: ${missing}")
    set_property(GLOBAL APPEND PROPERTY SYMPHONY_NOT_BUILT "${name} wasm: ${missing}")
    return()
  endif()
  if(NOT arg_MEMORY_MAX)
    set(arg_MEMORY_MAX 268435456)
  endif()
  if(NOT arg_FOLDER)
    set(arg_FOLDER "${CMAKE_BINARY_DIR}/pits")
  endif()
  if(NOT arg_STACK_SIZE)
    set(arg_STACK_SIZE 262144)
  endif()
  set(mode "${SYMPHONY_WASM_SOURCES}/pits/hosting/wasm")
  set(out "${CMAKE_CURRENT_BINARY_DIR}/wasm_${name}")
  file(MAKE_DIRECTORY "${out}")
  set(defines "")
  foreach(define IN LISTS arg_DEFINES)
    list(APPEND defines "-D${define}")
  endforeach()

  # Sources -> pit.wasm, with the guest's side of the mode linked in.
  # Where the tree compiles a target's files as one, these too: most of a file's time is the headers that all of them read.
  set(objects "")
  list(LENGTH arg_SOURCES files)
  if(CMAKE_UNITY_BUILD AND files GREATER 1)
    set(together "")
    foreach(source IN LISTS arg_SOURCES)
      get_filename_component(path "${source}" ABSOLUTE)
      string(APPEND together "#include \"${path}\"\n")
    endforeach()
    file(CONFIGURE OUTPUT "${out}/together.cpp" CONTENT "${together}" @ONLY)
    set(arg_SOURCES "${out}/together.cpp")
  endif()
  foreach(source IN LISTS arg_SOURCES)
    get_filename_component(path "${source}" ABSOLUTE)
    string(REPLACE "${out}/" "" object "${source}")
    string(REGEX REPLACE "[^A-Za-z0-9_.]" "_" object "${object}")
    symphony_wasm_object("${path}" "${out}/${object}.o" SCHEMA "${arg_SCHEMA}" OPTIONS ${defines})
    list(APPEND objects "${out}/${object}.o")
  endforeach()
  symphony_wasm_object("${mode}/guest/guest.cpp" "${out}/guest.cpp.o" OPTIONS "-DSYMPHONY_PIT_NAME=${name}")
  symphony_wasm_object("${mode}/guest/wasi_stubs.c" "${out}/wasi_stubs.c.o")
  list(APPEND objects "${out}/guest.cpp.o" "${out}/wasi_stubs.c.o")
  add_custom_command(OUTPUT "${out}/linked.wasm"
    COMMAND "${SYMPHONY_WASM_CXX}" --target=wasm32-wasi -mexec-model=reactor ${objects} -o "${out}/linked.wasm"
      "-Wl,--stack-first,-z,stack-size=${arg_STACK_SIZE},--max-memory=${arg_MEMORY_MAX},--strip-debug"
    DEPENDS ${objects} COMMENT "wasm32 link ${name}" VERBATIM)

  # The note, and the check of all that the module says of itself.
  add_custom_command(OUTPUT "${out}/pit.wasm"
    COMMAND "${SYMPHONY_WASM_OBJCOPY}" "--add-section=symphony.pit=${arg_NOTE}" "${out}/linked.wasm" "${out}/unchecked.wasm"
    COMMAND "$<TARGET_FILE:Symphony::wasm-check>" "${out}/unchecked.wasm"
    COMMAND "${CMAKE_COMMAND}" -E copy "${out}/unchecked.wasm" "${out}/pit.wasm"
    BYPRODUCTS "${out}/unchecked.wasm"
    DEPENDS "${out}/linked.wasm" "${arg_NOTE}" Symphony::wasm-check
    COMMENT "note and check of ${name}" VERBATIM)

  # pit.wasm -> C -> <name>_wasm.so.
  add_custom_command(OUTPUT "${out}/pit_module.c" "${out}/pit_module.h"
    COMMAND "${SYMPHONY_WASM2C}" -n pit -o "${out}/pit_module.c" "${out}/pit.wasm"
    DEPENDS "${out}/pit.wasm" COMMENT "wasm2c ${name}" VERBATIM)
  file(CONFIGURE OUTPUT "${out}/shim_of.c" @ONLY CONTENT [[
#define SYMPHONY_WASM_FILE "@out@/pit.wasm"
#define SYMPHONY_WASM_NOTE_FILE "@arg_NOTE@"
#include "@mode@/shim.c"
]])
  set_source_files_properties("${out}/shim_of.c" PROPERTIES OBJECT_DEPENDS "${out}/pit.wasm;${out}/pit_module.h;${arg_NOTE}")
  add_library(symphony_wasm_${name} MODULE "${out}/pit_module.c" "${out}/shim_of.c")
  set_target_properties(symphony_wasm_${name} PROPERTIES PREFIX "" OUTPUT_NAME "${name}_wasm" UNITY_BUILD OFF
    LIBRARY_OUTPUT_DIRECTORY "${arg_FOLDER}" C_STANDARD 11 C_EXTENSIONS ON C_VISIBILITY_PRESET hidden)
  target_include_directories(symphony_wasm_${name} PRIVATE "${out}" "${SYMPHONY_WASM_SOURCES}"
    "${SYMPHONY_WASM_CONTRACT}")
  # Generated code: no warnings. -fno-optimize-sibling-calls: recursion without end is to end at the end of the stack.
  # The two about numbers: wasm says what a NaN and a rounding are.
  target_compile_options(symphony_wasm_${name} PRIVATE -w -O2 -DNDEBUG -fno-optimize-sibling-calls -frounding-math
    $<$<C_COMPILER_ID:GNU>:-fsignaling-nans> -fstack-clash-protection)
  target_link_options(symphony_wasm_${name} PRIVATE -Wl,-z,now,-z,relro,-z,noexecstack,-z,nodelete,-z,defs)
  target_link_libraries(symphony_wasm_${name} PRIVATE m)
endfunction()
