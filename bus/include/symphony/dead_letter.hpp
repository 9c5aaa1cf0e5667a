// A message that killed its pit each time it was tried, and what became of it.   Layer: base. Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/pit_info.hpp>
#include <symphony/status.hpp>

namespace symphony {

// What the message did alone, in an instance that was started for it and thrown away. Stable: numbers are never reused.
enum class AloneOutcome : std::uint8_t {
  not_run = 0,   // there was no such instance
  killed = 1,    // it killed that one too
  answered = 2,  // it ran without harm
  late = 3,      // the call's deadline came first
};
inline constexpr std::uint8_t alone_outcome_count = 4;
[[nodiscard]] constexpr std::string_view name_of(AloneOutcome outcome) noexcept {
  constexpr std::string_view names[alone_outcome_count] = {"not run", "killed it", "answered", "late"};
  return names[static_cast<std::uint8_t>(outcome)];
}

struct DeadLetter {
  std::uint64_t id = 0;  // of the letter: from 1, rising over all pits of a daemon
  std::string pit;
  std::string version;  // of the pit, when it died of it
  TimeNs at_ns = 0;     // parked, on CLOCK_MONOTONIC; 0: in an earlier run of the machine, as its death's
  std::uint64_t link = 0;
  std::uint64_t message = 0;  // its id on that link
  std::uint32_t type = 0;
  Effect effect = Effect::idempotent;
  std::uint8_t attempts = 0;  // that it killed, the one alone included
  AloneOutcome outcome = AloneOutcome::not_run;
  std::uint32_t size = 0;         // of its body
  std::uint32_t kept_size = 0;    // less: the rest was not kept, and it cannot be sent again
  std::vector<std::byte> body{};  // kept_size bytes; empty in a list
  PitDeath death{};               // of the instance alone where that died, else of the last that the message killed
};

}  // namespace symphony
