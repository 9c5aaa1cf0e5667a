// Why a guest was left in the middle of its code.   Layer: hosting/wasm.
#pragma once

#include <cstdint>
#include <string_view>

#include "pits/hosting/wasm/module_table.h"

namespace symphony::pit::wasm {

enum class Trap : std::int32_t {
  none = SYMPHONY_WASM_TRAP_NONE,
  out_of_bounds = SYMPHONY_WASM_TRAP_OUT_OF_BOUNDS,
  integer_overflow = SYMPHONY_WASM_TRAP_INTEGER_OVERFLOW,
  division_by_zero = SYMPHONY_WASM_TRAP_DIVISION_BY_ZERO,
  conversion = SYMPHONY_WASM_TRAP_CONVERSION,
  unreachable = SYMPHONY_WASM_TRAP_UNREACHABLE,
  indirect_call = SYMPHONY_WASM_TRAP_INDIRECT_CALL,
  exception = SYMPHONY_WASM_TRAP_EXCEPTION,
  stack_overflow = SYMPHONY_WASM_TRAP_STACK_OVERFLOW,
  interrupted = SYMPHONY_WASM_TRAP_INTERRUPTED,
  bad_span = SYMPHONY_WASM_TRAP_BAD_SPAN,
  no_memory = SYMPHONY_WASM_TRAP_NO_MEMORY,
  ended = 13,      // by its host (interrupt_guests)
  no_thread = 12,  // the guest was not entered: this thread has no room for what a trap needs, or is ending
};

[[nodiscard]] constexpr std::string_view describe(Trap trap) noexcept {
  switch (trap) {
    case Trap::none:
      return "nothing";
    case Trap::out_of_bounds:
      return "an access outside its memory";
    case Trap::integer_overflow:
      return "an integer overflow in a division or conversion";
    case Trap::division_by_zero:
      return "a division by zero";
    case Trap::conversion:
      return "a conversion of a number that no integer can hold";
    case Trap::unreachable:
      return "an unreachable instruction, as abort() and failed checks are";
    case Trap::indirect_call:
      return "a call through a pointer that is no function of that type";
    case Trap::exception:
      return "an exception that nobody caught";
    case Trap::stack_overflow:
      return "a call stack that is used up";
    case Trap::interrupted:
      return "a time budget that is used up";
    case Trap::ended:
      return "its host ended the call";
    case Trap::bad_span:
      return "bytes passed to the host that are not in its memory";
    case Trap::no_memory:
      return "no memory to begin with";
    case Trap::no_thread:
      return "a thread that cannot run it: it has no room for a signal stack, or is ending";
  }
  return "an unknown trap";
}

}  // namespace symphony::pit::wasm
