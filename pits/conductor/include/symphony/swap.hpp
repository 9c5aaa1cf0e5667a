// What Conductor::swap() is told and what it tells.   Layer: conductor. Threads: plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/status.hpp>

namespace symphony {

// In this order; where one fails the pit goes on as it was, with everything that was acknowledged.
enum class SwapStep : std::uint8_t {
  prepare,    // the new instance is made; nobody can reach it
  rehearse,   // it restores a snapshot of the running pit and writes it again
  cut,        // new calls wait; those under way end
  transfer,   // the old instance writes its state
  restore,    // the new one reads it, and takes the calls
  probation,  // the old one is kept as it was at the cut
  commit,     // the old one is stopped and destroyed
};
[[nodiscard]] std::string_view to_string(SwapStep step) noexcept;

// How the new instance did so far.
struct Probation {
  std::uint64_t messages = 0;  // that ended
  std::uint64_t failed = 0;    // of these: with another status than ok
  TimeNs time_ns = 0;          // since it took the calls
};

struct SwapOptions {
  TimeNs cut_budget_ns = 50 * ms_ns;  // for what is under way to end; else the swap is given up as OVERLOADED
  // For the new instance to take the state, where it is a process; in this process it takes as long as it takes (a wasm
  // pit: its budget_ms).
  TimeNs restore_timeout_ns = 10 * second_ns;
  bool rehearse = false;
  // The probation ends with the first of the two. 0 in either: there is none.
  TimeNs probation_ns = 5 * second_ns;
  std::uint64_t probation_messages = 1'000;
  // Asked once, at the end of the probation, on the thread that swaps: false goes back to the old instance, with the
  // state of the new one where the old one can restore it. Empty: yes.
  std::function<bool(const Probation&)> accept{};
};

// An acknowledged call that is in no state any more.
struct LostEffect {
  std::uint32_t type = 0;
  Effect effect = Effect::once;
};
inline constexpr std::size_t lost_effects_max = 1'024;  // that are listed

struct SwapReport {
  CallStatus status = status::ok;
  std::string text{};                // why not, with the remedy; of a success: what is left to say
  SwapStep step = SwapStep::commit;  // at which it ended
  TimeNs prepare_ns = 0;
  TimeNs rehearse_ns = 0;        // of the snapshot and the restore alone: about what the pause will be
  TimeNs pause_ns = 0;           // in which new calls waited, at the cut
  TimeNs cut_ns = 0;             // of it: until what was under way had ended
  TimeNs transfer_ns = 0;        // of it: until the state was written
  TimeNs restore_ns = 0;         // of it: until the new instance had the state and ran; then its calls went on
  std::uint64_t state_size = 0;  // bytes
  Probation probation{};
  bool rolled_back = false;        // the new instance had taken calls, and the old one has them again
  std::uint64_t effects_lost = 0;  // by going back: acknowledged calls, `read` ones not counted
  std::vector<LostEffect> lost{};  // the first of them, in order

  [[nodiscard]] bool ok() const noexcept { return status == status::ok; }
};

}  // namespace symphony
