// From requirements and measured figures to a way of hosting, with reasons.   Layer: tools. Threads: pure functions.
// Each requirement only takes ways away, and the fastest of the rest is advised: so asking for less never makes the
// advice slower. Ways whose p99 differ by less than a twentieth count as equally fast; of those the simplest is advised
// where complexity is not acceptable, else the faster one.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/symphony/decision/result.hpp"

namespace symphony::tools {

struct Requirements {
  bool untrusted = false;         // the pit's code may be hostile
  bool crash_tolerant = false;    // the host goes on when the pit dies
  bool frequent_changes = false;  // new binaries without a new build of the host
  bool simple = false;            // no engineering complexity now
  bool other_host = false;
  std::optional<double> p99_ns{};
  std::optional<double> swap_pause_ms{};  // the most that callers wait when it is changed
  std::optional<double> fail_over_ms{};   // the most from a death to service, with the state there
  double state_bytes = 0;                 // 0: as large as the measured one
  std::string language = "c++";           // c++, c, python, other
};

// The seed's final checklist: what is asked, by which flag, and what the seed says to it.
struct ChecklistLine {
  std::string_view flag, question, seed;
};
inline constexpr std::array<ChecklistLine, 9> checklist{{
    {"--p99", "Do you need sub-microsecond responses? (the most that a call may take at p99)",
     "static or in-process dynamic"},
    {"--untrusted", "Will plugins be untrusted?", "out-of-process with sandbox"},
    {"--frequent-changes", "Do you need frequent binary changes without core rebuilds?",
     "out-of-process or in-process ABI plugins"},
    {"--simple", "Can you not accept engineering complexity now?", "static for now, evolve later"},
    {"--crash-tolerant", "Is process crash tolerance required?", "out-of-process"},
    {"--language", "In which language is it written?", "IPC: language and runtime freedom"},
    {"--fail-over", "How long may it be gone after a crash, with its state back?",
     "out-of-process: the host restarts it"},
    {"--swap-pause", "How long may callers wait when it is changed?", "out-of-process: much cleaner for migration"},
    {"--other-host", "Does it run on another host?", "not in the checklist"},
}};

struct Excluded {
  std::string mode, flag, why;
};
struct WhatIf {
  std::string change, mode, p99;  // mode empty: no way is left
};
struct Advice {
  const ModeResult* mode = nullptr;  // null: no way meets all of it
  const ModeResult* runner_up = nullptr;
  std::vector<std::string> reasons;
  std::vector<Excluded> excluded;
  std::vector<WhatIf> what_if;
  std::string conflict;               // without a mode: which requirement, and by how much
  std::vector<std::string> manifest;  // lines to use
  std::vector<std::string> notes;
};
// The pointers point into `pit`.
[[nodiscard]] Advice advise(const HostingResult& result, const PitResult& pit, const Requirements& wanted);
[[nodiscard]] std::string advice_text(const HostingResult& result, const PitResult& pit, const Advice& advice);
[[nodiscard]] ResultJson advice_json(const HostingResult& result, const PitResult& pit, const Advice& advice);

// How fast a way counts: equal for ways within a twentieth.
[[nodiscard]] long speed_class(const ModeResult& row);

}  // namespace symphony::tools
