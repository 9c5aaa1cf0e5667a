// What the pit `trapper` does for each message type.   Layer: tests.
#pragma once

#include <cstdint>

namespace trapper {

enum Order : std::uint32_t {
  count = 100,      // adds 1; replies with the sum, 8 bytes
  read_outside,     // body: the guest address to read, 8 bytes
  write_outside,    // body: the guest address to write, 8 bytes
  call_abort,       // says why, then aborts
  call_exit,        // ends the program
  divide_by_zero,   //
  divide_overflow,  // INT_MIN / -1
  convert_nan,      // NaN to an integer, by the instruction that traps
  call_wrong_type,  // a function through a pointer of another type
  call_null,        // a function through a null pointer
  recurse,          // without end, on the machine's stack
  recurse_guest,    // without end, on the guest's own stack
  hang,             // in guest code
  hang_in_log,      // in imports
  use_all_memory,   // by malloc, and replies with how many MiB it got
  new_all_memory,   // by new
  lie_to_log,       // passes bytes that are not in its memory
  lie_to_commit,    //
  recurse_to_log,   // until the stack is nearly used up, then calls the host
  echo,             // replies with the body
  claim_too_much,   // replies with the status of a claim above reply_size_max
  claim_twice,      // claims, claims again, commits, claims once more: replies with nothing, says the last status
  in_next_hook,     // body: an order that the next hook but handle() carries out
  empty,            // nothing
  answer_later,     // the request is ended by end_later
  end_later,        // body: the status that it ends with
  arm_timer,        // body: a point on the clock; on_timer() adds the timer's id, 7, to the sum
  disarm_timer,     //
  call_other,       // calls the pit "other" with its body; on_answer() adds the cookie, 1000, and the answer's size
  publish_body,     //
  ask_cancelled,    // replies with 1 where nobody waits
  set_dirty,        //
  ask_random,       // replies with 8 bytes
};

}  // namespace trapper
