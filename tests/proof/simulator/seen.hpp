// What the core did, told by one line that mutate.py plants in its move(); and which faults it met.   Layer: tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bus/broker/core_types.hpp"

namespace symphony::proof {

// All that can go wrong around the core. The names stand in the coverage table (faults.cpp).
enum class Fault : std::uint8_t {
  pit_killed,
  pit_dies_of_a_message,
  pit_hangs,
  pit_exits_0,
  pit_exits_75,
  pit_exits_125,
  pit_never_ready,
  pit_ignores_stop,
  pit_hangs_up,
  pit_stopped,
  pit_breaks_protocol,
  pit_speaks_another_protocol,
  pit_has_another_clock,
  pit_speaks_of_others,
  pit_cannot_map,
  pit_cannot_freeze,
  pit_freezes_late,
  pit_cannot_rehearse,
  pit_reports_a_fault,
  spawn_fails,
  spawn_fails_for_good,
  caller_killed,
  caller_stopped,
  caller_cut_off,
  caller_breaks_protocol,
  caller_has_another_clock,
  caller_speaks_of_others,
  caller_cannot_map,
  caller_reports_a_fault,
  broker_killed,
  broker_killed_between_actions,
  broker_told_half,
  operator_commands,
  keeper_lost,
  stop_all,
  segments_fail,
  seal_fails,
  state_not_kept,
  clock_jumps,
  timer_late,
  pit_hangs_in_a_timer,
  count,
};
inline constexpr auto fault_count = static_cast<std::size_t>(Fault::count);
[[nodiscard]] const char* name_of(Fault fault) noexcept;

inline constexpr std::size_t verdict_count = 7;
struct Seen {
  std::array<std::uint64_t, fault_count> faults{};
  std::array<std::array<std::uint64_t, detail::broker::pit_state_count>, detail::broker::pit_state_count> pit_moves{};
  std::array<std::array<std::uint64_t, detail::broker::link_state_count>, detail::broker::link_state_count>
      link_moves{};
  std::array<std::uint64_t, verdict_count> verdicts{};  // of judge(), on calls of a dead epoch
  std::uint64_t calls = 0, answered = 0;
  std::uint64_t tried_alone = 0, harmless_alone = 0, parked = 0;           // calls; letters that a core took
  std::uint64_t rolled_back = 0, rolled_back_by_the_next = 0, passed = 0;  // probations
  std::uint64_t hung = 0, heeded = 0;  // pits killed for it; requests that were cancelled and went on
  std::uint64_t hung_in_timers = 0;    // pits killed for that
  std::uint64_t restarted_with_needed = 0, stood_in = 0, came_home = 0;  // pits; links
};
inline Seen seen;

inline void saw(detail::broker::PitState from, detail::broker::PitState to) noexcept {
  ++seen.pit_moves[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}
inline void saw(detail::broker::LinkState from, detail::broker::LinkState to) noexcept {
  ++seen.link_moves[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}
inline void saw(Fault fault) noexcept { ++seen.faults[static_cast<std::size_t>(fault)]; }

}  // namespace symphony::proof
