// The demo: a real dependency graph, conducted by the same pit in two modes, side by side.   Layer: tools.
#pragma once

#include <cstdint>
#include <string>

#include "tools/symphony/demo/graph_run.hpp"
#include "tools/symphony/graph/graph_input.hpp"

namespace symphony::tools {

struct DemoOptions {
  std::string graph;  // empty: the machine's installed packages, condensed
  bool condense = false;
  std::uint32_t workers = 4;
  double seconds = 2;
  std::uint64_t calls = 200'000;
  bool kill = true;
  bool json = false;
};

// What a yardstick measured beside the calls; 0: not measured.
struct Yardstick {
  std::uint64_t line_rtt_ns = 0;
  std::uint64_t uds_rtt_ns = 0;
  std::uint64_t n = 0;
};

struct DemoResult {
  std::string input;
  Condensed graph;
  TimeNs read_ns = 0;
  RunResult static_one, process_one, static_many, process_many;
  std::uint32_t workers = 0;
  bool killed = false;
  bool replies_equal = false;  // one worker, byte for byte
  std::uint64_t replies_compared = 0;
  bool states_equal = false;  // N workers, every graph of both modes
  Yardstick yardstick;
  TimeNs total_ns = 0;  // reading, all runs, comparing

  [[nodiscard]] bool good() const;
};

// Runs it and prints the result to stdout, errors to stderr.   Returns the exit status.
[[nodiscard]] int run_demo(const DemoOptions& options);

// The result as text for a person, or as one JSON document.
[[nodiscard]] std::string demo_text(const DemoResult& result);
[[nodiscard]] std::string demo_json(const DemoResult& result);
// Figures, where this program stands in a build tree. False, with a line on stderr: not
// written.
bool write_demo_figures(const DemoResult& result);

}  // namespace symphony::tools
