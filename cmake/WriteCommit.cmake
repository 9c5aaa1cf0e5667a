# Writes OUT, a header that says which commit of SOURCE is being built; leaves it alone when nothing changed.
# `-dirty` where a tracked file differs from that commit, `unknown` outside a repository.
execute_process(COMMAND git -C "${SOURCE}" rev-parse --verify HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(commit "unknown")
else()
  execute_process(COMMAND git -C "${SOURCE}" status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changed ERROR_QUIET)
  if(NOT changed STREQUAL "")
    string(APPEND commit "-dirty")
  endif()
endif()
file(CONFIGURE OUTPUT "${OUT}" CONTENT [[
#pragma once
#define SYMPHONY_COMMIT "@commit@"
]] @ONLY)
