// The containment matrix: faults, modes of hosting, and what a cell of the two came to.   Layer: bench. Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/conductor.hpp>
#include <symphony/sandbox.hpp>
#include <symphony/trust.hpp>

#include "bench/faults/order.hpp"

namespace symphony::faults {

// How the culprit and the honest pit beside it are hosted.
struct Hosting {
  Mode mode = Mode::static_;
  SandboxProfile profile = SandboxProfile::none;  // of mode process
  friend bool operator==(const Hosting&, const Hosting&) = default;
};
// "static", "dynamic", "wasm", "process", "process+ring", …
[[nodiscard]] std::string name_of(const Hosting& hosting);
[[nodiscard]] std::optional<Hosting> hosting_of(std::string_view name);
// How far the host trusts what it hosts: behind walls not at all; in its own process it has no choice.
[[nodiscard]] Trust trust_of(const Hosting& hosting);
// From the least safe to the safest.
[[nodiscard]] const std::vector<Hosting>& all_hostings();

struct FaultFacts {
  std::string_view name;  // "null_write"
  std::string_view test;  // "NullWrite"
  std::string_view what;  // for a person
};
[[nodiscard]] const FaultFacts& facts_of(Fault fault);
[[nodiscard]] std::optional<Fault> fault_of(std::string_view name);

// What became of those who were there.
enum class Class : std::uint8_t {
  not_run,       // it could not be committed here, and counts for nothing
  contained,     // host alive, honest pit unharmed, and the culprit serves again by itself
  pit_lost,      // the same, but the culprit does not serve again
  host_lost,     // the program that hosts is dead, changed or cannot go on; or the honest pit is
  machine_hurt,  // others: their file was read, their socket reached, their room for processes taken
};
[[nodiscard]] std::string_view name_of(Class what);

// What was seen of one cell. Times are of CLOCK_MONOTONIC; process ids as the cell numbers them.
struct Observation {
  std::string not_run;  // why not; empty: it was
  int host_pid = 0;
  int pid = 0;  // of the process that held the culprit: the host's own, but in mode process
  // Of the host.
  bool said_all = false;  // it told everything below, and ended by itself
  int host_signal = 0;
  int host_exit = 0;
  bool canary_changed = false;
  std::string ill;  // what it could not do any more
  // Of the honest pit.
  std::uint64_t honest_calls = 0;
  std::uint64_t honest_failed = 0;
  double honest_longest_ms = 0;  // between two replies
  // Of the culprit.
  std::string ending;  // how the call that committed it ended
  std::string death;   // why its process ended, as the broker says
  int pit_signal = 0;  // of that
  std::optional<int> pit_exit;
  std::optional<double> service_back_ms;  // from the fault to the first reply that is right
  // Of others.
  bool secret_read = false;
  bool socket_reached = false;
  unsigned processes = 0;  // most at once in the cell, above those that were there before
  std::string output;      // the end of what host and pits wrote
};
inline constexpr unsigned crowd = 128;  // more processes than that are taken from others

[[nodiscard]] Class classify(const Observation& seen);

struct CellOptions {
  std::uint32_t patience_ms = 5'000;  // how long a culprit may take to serve again
};
// Runs one cell in namespaces of its own, and returns when nothing of it is left: at most 30 s beyond the patience.
// `program`: bench_faults, which is the host there.
[[nodiscard]] Observation run_cell(const std::string& program, const Hosting& hosting, Fault fault,
                                   const CellOptions& options);

// Whether the documents promise that it is contained.
[[nodiscard]] bool is_promised(const Hosting& hosting, Fault fault);
// The case of ctest that runs a cell alone: "faults.process.NullWriteIsContained" where that is promised, else
// "faults.static.NullWriteIsRun". `ctest --preset release -C cells -R NAME`.
[[nodiscard]] std::string test_of(const Hosting& hosting, Fault fault);
// Empty: the cell was run, if the mode has what the fault is about, and is contained where that is promised.
[[nodiscard]] std::string broken_promise(const Hosting& hosting, Fault fault, const Observation& seen);

}  // namespace symphony::faults
