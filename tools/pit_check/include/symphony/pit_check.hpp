// The conformance suite of pits, as a library: what `symphony pit check` runs, for the tests of whoever writes a pit,
// and for modes that a command cannot run, such as a pit that is linked in.   Layer: tools/pit_check (contract). Each
// case runs in a child process of its own, with a time limit: a pit that crashes or hangs fails its case and nothing
// else. Threads: one, and no other in the process while it runs: it forks.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace symphony::pit_check {

enum class Verdict : std::uint8_t { passed, failed, skipped };
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

// The programs that run a pit as a process; empty: the mode is not run.
struct Programs {
  std::string pit_host;  // symphony-pit-host
  std::string keeper;    // symphony-keeper
};

struct CaseResult {
  std::string mode;
  std::string name;
  Verdict verdict = Verdict::failed;
  std::string text;          // why it failed or was skipped; or a figure beside a pass
  std::string output;        // the last of what the case's processes wrote; empty unless it failed
  std::int64_t took_ns = 0;  // by the clock
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
  std::string mode;  // static, dynamic, wasm or process; empty: all that can be run
  std::string only;  // the name of one case, or the part before its dot; empty: all
  std::uint64_t seed = 1;
  std::uint32_t percent = 100;                   // of the rounds of cases that play at random, where each round is slow
  const symphony_pit_entry* linked = nullptr;    // the same pit, linked into this program: for mode static
  bool in_process = false;                       // no child, no time limit: for a debugger
  std::int64_t time_limit_ns = 120'000'000'000;  // of a case
  std::function<void(const CaseResult&)> on_case{};  // as each is there
};

struct Report {
  std::string refused;  // why the file is not one pit's; nothing was run then
  std::vector<ModeResult> modes;
  std::vector<CaseResult> cases;
  // Every case that was run passed, or was skipped for a reason of the pit's own; and some were run.
  [[nodiscard]] bool ok() const noexcept;
  [[nodiscard]] bool ran() const noexcept { return !cases.empty(); }
};

// Whether there is such a case, or such a subject.
[[nodiscard]] bool is_case(std::string_view name);
[[nodiscard]] bool is_mode(std::string_view name);

// Runs the suite on the pit in that file, the .so that symphony_add_pit makes. Mode wasm runs NAME_wasm.so beside
// NAME.so.
[[nodiscard]] Report check(const std::string& path, const CheckOptions& options);

}  // namespace symphony::pit_check
