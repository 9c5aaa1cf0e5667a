// Runs the suite on a pit's file: each case in a child process of its own, with a time limit.   Layer: tools/pit_check.
// What a case does to its process, crash and hang included, ends with the child; it is killed with all it started.
// Threads: one, and no other in the process: it forks.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>

#include "pits/hosting/pit_file.hpp"
#include "tools/pit_check/stage.hpp"

namespace symphony::pit_check {

enum class Verdict : std::uint8_t { passed, failed, skipped };
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

struct CaseResult {
  std::string mode;
  std::string name;
  Verdict verdict = Verdict::failed;
  std::string text;    // why it failed or was skipped; or a figure beside a pass
  std::string output;  // the last of what the case's processes wrote; empty unless it failed
  TimeNs took_ns = 0;
};

struct ModeResult {
  std::string mode;
  std::string missing;  // why it was not run; empty: it was
  std::uint32_t passed = 0;
  std::uint32_t failed = 0;
  std::uint32_t skipped = 0;
  [[nodiscard]] std::uint32_t total() const noexcept { return passed + failed + skipped; }
};

struct CheckOptions {
  Programs programs;
  std::string mode;  // empty: all modes that can be run
  std::string only;  // the name of one case, or the part before its dot; empty: all
  std::uint64_t seed = 1;
  std::uint32_t percent = 100;                 // of the rounds of cases that play at random, where each round is slow
  const symphony_pit_entry* linked = nullptr;  // the same pit, linked into this program: for mode static
  bool in_process = false;                     // no child, no time limit: for a debugger
  TimeNs time_limit_ns = 120 * second_ns;      // of a case
  std::function<void(const CaseResult&)> on_case{};  // as each is there
};

struct Report {
  std::vector<ModeResult> modes;
  std::vector<CaseResult> cases;
  // Every case that was run passed, or was skipped for a reason of the pit's own; and some were run.
  [[nodiscard]] bool ok() const noexcept;
  [[nodiscard]] bool ran() const noexcept { return !cases.empty(); }
};

// Whether there is such a case, or such a subject.
[[nodiscard]] bool is_case(std::string_view name);
[[nodiscard]] bool is_mode(std::string_view name);

// The file holds one note at least; its bytes are lent until the report is there.
[[nodiscard]] Report check(const pit::PitFile& file, const CheckOptions& options);

}  // namespace symphony::pit_check
