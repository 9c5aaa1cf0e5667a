// What a broker tells of one of its pits.   Layer: base. Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/sandbox.hpp>
#include <symphony/time_budgets.hpp>
#include <symphony/trust.hpp>
#include <symphony/waiting.hpp>

namespace symphony {

struct PitInfo {
  std::string name;
  std::string state;           // known starting ready backoff quarantined stopping stopped
  std::int32_t pid = 0;        // 0: no process
  std::uint32_t instance = 0;  // how often it was started
  std::uint32_t links = 0;
};

// A pit may run as several processes, each a pit of its own to the broker: the first under the name itself, the others
// behind it as name.1, name.2 and so on.
inline constexpr std::uint32_t instances_max = 32;
[[nodiscard]] inline std::string instance_name(std::string_view name, std::uint32_t index) {
  std::string out(name);
  if (index != 0) out += '.' + std::to_string(index);
  return out;
}

// Whether a pit is started again together with what it needs: rest_for_one: whenever one of its `calls` begins anew.
enum class RestartStrategy : std::uint8_t { one_for_one = 0, rest_for_one = 1 };
[[nodiscard]] constexpr std::string_view name_of(RestartStrategy strategy) noexcept {
  return strategy == RestartStrategy::rest_for_one ? "rest_for_one" : "one_for_one";
}

// When a pit that died is started again. A pit that was ready is restarted at once the first time; further deaths
// within `window_ns` wait backoff_first_ns * 2^n (+-25 %), and the failures_max-th ends in quarantine. Exit status 0 is
// "finished", 125 "never again" and 75 "try again": none is a failure. After 75 it waits as long as after a failure,
// and as often as it says so; once it was ready it begins with the shortest wait again.
struct RestartPolicy {
  std::uint32_t failures_max = 5;  // 1 to 16
  TimeNs window_ns = 60 * second_ns;
  TimeNs backoff_first_ns = 10 * ms_ns;
  TimeNs backoff_max_ns = 10 * second_ns;
  TimeNs start_timeout_ns = 30 * second_ns;  // from exec to ready; killed when it takes longer
  RestartStrategy strategy = RestartStrategy::one_for_one;
  // With the N-th exception of its handlers within window_ns it ends itself, and that is a failure. 0: never.
  std::uint32_t exceptions_max = 0;
  std::string fallback{};  // the pit that serves its callers while it is quarantined; empty: they are told QUARANTINED
  friend bool operator==(const RestartPolicy&, const RestartPolicy&) = default;
};

// Of links whose caller leaves the sizes of its rings to the broker; in bytes, each a power of two from 4 KiB to 1 GiB.
struct RingSizes {
  std::uint32_t request_capacity = 0;  // 0: 256 KiB
  std::uint32_t reply_capacity = 0;    // 0: 256 KiB, and more where the pit's largest reply needs it
  friend bool operator==(const RingSizes&, const RingSizes&) = default;
};

// Why a process of a pit ended. Stable: numbers are never reused.
enum class DeathCause : std::uint8_t {
  crash = 0,             // a signal that the broker did not send
  exit = 1,              // by itself
  start_timeout = 2,     // killed: not ready in time
  protocol = 3,          // killed: it said what no pit says
  link_fault = 4,        // killed: it broke the ring protocol on a link
  hang_up = 5,           // killed: it closed its control socket and lived on
  stop = 6,              // an operator or the end of the broker; by itself or, when its grace was over, killed
  cannot_start = 7,      // there never was a process
  unseen = 8,            // while there was no broker
  state = 9,             // killed: its folder did not take its state
  swap = 10,             // another process took its place
  alone_too_long = 11,   // killed: it was started for one message alone, and its time was over
  sandbox = 12,          // SIGSYS: it asked the kernel for what its filter forbids
  out_of_memory = 13,    // killed by the kernel, which had no memory left for its group
  try_again = 14,        // by itself, with status 75
  hang = 15,             // killed: it stood still in a request for longer than that type's budget
  needed = 16,           // what it needs began anew, and so does it
  exception_storm = 17,  // by itself: its handlers threw too often
};
inline constexpr std::uint8_t death_cause_count = 18;
[[nodiscard]] constexpr std::string_view name_of(DeathCause cause) noexcept {
  constexpr std::string_view names[death_cause_count] = {"crash",
                                                         "exit",
                                                         "start timeout",
                                                         "protocol violation",
                                                         "link fault",
                                                         "hang-up",
                                                         "stop",
                                                         "cannot start",
                                                         "unseen",
                                                         "state not kept",
                                                         "swap",
                                                         "alone too long",
                                                         "sandbox violation",
                                                         "out of memory",
                                                         "try again",
                                                         "hang",
                                                         "restart of what it needs",
                                                         "exception storm"};
  return names[static_cast<std::uint8_t>(cause)];
}

// A message that was being executed when its pit died, as its caller says or, of a hang, as the broker saw.
struct ExecutingMessage {
  std::uint64_t link = 0;  // 0: none is known
  std::uint64_t id = 0;    // on that link
  std::uint32_t type = 0;
  std::uint32_t size = 0;    // of its body
  std::uint8_t attempt = 0;  // deaths before this one
};

struct PitDeath {
  TimeNs at_ns = 0;  // on CLOCK_MONOTONIC
  std::uint32_t instance = 0;
  DeathCause cause = DeathCause::crash;
  bool signalled = false;
  std::int32_t value = 0;  // the signal's number, else the exit status; of cannot_start: errno; of unseen: nothing
  TimeNs ready_ns = -1;    // how long it had been ready; -1: it never was
  std::string last_lines;  // the end of what it wrote to stderr, where the broker keeps that; at most 1,024 bytes
  ExecutingMessage executing{};
  std::uint32_t executing_count = 0;  // of such messages: a pit of several threads executes several
  std::string core;                   // where its core dump is, if the kernel wrote one; at most 512 bytes
};

// Everything a broker knows of a pit.
struct PitReport {
  PitInfo info;
  std::string reason;         // of the state: why it failed, is quarantined or stopped
  std::string version;        // as the running instance says; empty after the broker itself was started again
  TimeNs ready_since_ns = 0;  // on CLOCK_MONOTONIC; 0: it is not ready
  std::string executable;
  std::string arguments;  // one after the other, with spaces between
  Trust trust = Trust::cooperative;
  Waiting waiting = Waiting::adaptive;
  Placement placement = Placement::automatic;
  bool start_at_once = true;
  std::vector<std::string> calls;
  RestartPolicy restart;
  std::uint32_t failures = 0;  // within the window
  std::string log;             // the file that its stderr goes to; empty: the broker's own stderr
  std::uint64_t log_lines_lost = 0;
  std::vector<PitDeath> deaths;    // the last ones, at most 8, oldest first
  std::uint32_t letters = 0;       // dead letters that are kept
  std::uint64_t letters_lost = 0;  // the oldest, for which there was no room
  std::uint64_t runs_alone = 0;    // instances that were started for one message
  SandboxPolicy sandbox{};
  SandboxBlocks sandbox_reached = 0;  // as the running instance says
  TimeBudgets budgets{};
  RingSizes rings{};
  std::uint64_t overruns = 0;  // requests that used up their budget, since this broker began: they were cancelled
  std::uint64_t hangs = 0;     // those, and whatever else stood still, that cost the pit its process then
};

}  // namespace symphony
