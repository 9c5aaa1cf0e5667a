# What the sanitizer presets build and run in the short lane of tools/test: decision 0048. --long switches this off.
option(SYMPHONY_SHORT_LANE "Build and test only what the short lane of tools/test runs in this preset" OFF)

# symphony_short_case(TARGET): this program is run in the short lane, so it is built there.
function(symphony_short_case target)
  set_property(GLOBAL APPEND PROPERTY SYMPHONY_SHORT_CASES ${target})
endfunction()

# Called when all targets are there. In the short lane `all` is what is run, and what that is made of.
function(symphony_build_only_short_cases)
  if(NOT SYMPHONY_SHORT_LANE)
    return()
  endif()
  get_property(cases GLOBAL PROPERTY SYMPHONY_SHORT_CASES)
  symphony_targets_below(targets "${PROJECT_SOURCE_DIR}")
  list(REMOVE_ITEM targets ${cases})
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
  endforeach()
endfunction()
