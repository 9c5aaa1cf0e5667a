# symphony_add_pit(NAME dag_tracker SOURCES … SCHEMAS … [USES …]): one source, the forms of a pit that this tree builds.
#   symphony_schema_<name>   generated headers of its messages, for the pit and its callers
#   symphony_static_<name>   the pit as a library; find it with SYMPHONY_DECLARE_PIT(<name>) and symphony_pit_<name>()
#   symphony_process_<name>  the program symphony-pit-<name>: the pit behind the pit runtime's main(); made when
#                            symphony_pit_runtime_main exists, so add pits after pits/hosting
# USES are further libraries of the pit itself; a pit that should run everywhere has none.
function(symphony_add_pit)
  cmake_parse_arguments(arg "" "NAME" "SOURCES;SCHEMAS;USES" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES OR NOT arg_SCHEMAS)
    message(FATAL_ERROR "symphony_add_pit: want NAME name SOURCES files SCHEMAS files [USES libraries], got: ${ARGN}")
  endif()
  if(NOT arg_NAME MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "symphony_add_pit: '${arg_NAME}' is no pit name: a lower-case letter, then lower-case letters, digits or _")
  endif()
  set(name "${arg_NAME}")

  symphony_schema(symphony_schema_${name} ${arg_SCHEMAS})

  add_library(symphony_static_${name} STATIC ${arg_SOURCES})
  target_link_libraries(symphony_static_${name} PUBLIC Symphony::pit symphony_schema_${name} PRIVATE ${arg_USES})
  target_include_directories(symphony_static_${name} PRIVATE "${PROJECT_SOURCE_DIR}")

  if(TARGET symphony_pit_runtime_main)
    set(entry "${CMAKE_CURRENT_BINARY_DIR}/symphony_pit_${name}_hosted.cpp")
    file(CONFIGURE OUTPUT "${entry}" @ONLY CONTENT [[
#include <symphony/pit.h>
SYMPHONY_DECLARE_PIT(@name@);
const symphony_pit_entry* symphony_hosted_pit(void) { return SYMPHONY_PIT_ACCESSOR(@name@)(); }
]])
    add_executable(symphony_process_${name} "${entry}")
    set_target_properties(symphony_process_${name} PROPERTIES OUTPUT_NAME "symphony-pit-${name}")
    target_link_libraries(symphony_process_${name} PRIVATE symphony_static_${name} symphony_pit_runtime_main)
  else()
    message(STATUS "pit ${name}: no program symphony-pit-${name}: this tree has no target symphony_pit_runtime_main")
  endif()
endfunction()
