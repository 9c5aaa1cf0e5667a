// symphony bench hosting: the same recorded work in every way of hosting.   Layer: tools. Threads: one at a time.
#pragma once

#include "tools/symphony/bench/document.hpp"

namespace CLI {
class App;
}

namespace symphony::tools {

struct HostingArguments {
  BenchArguments common;
  std::string pit;    // a file or a listed pit; empty: the three of this build
  std::string trace;  // recorded work for it
  std::string schema;
  std::string graph;  // for DagTracker
  std::string save_trace;
  std::vector<std::string> ways;
  std::vector<std::size_t> sizes;
  double rate = 0;  // calls a second; 0: the default, and missing it is no failure
  unsigned rounds = 0;
  bool to_stderr = false;  // the table is no data of whoever measures here
};

[[nodiscard]] int bench_hosting(const HostingArguments& arguments);
void add_hosting_verb(CLI::App& bench, int& exit_status);

}  // namespace symphony::tools
