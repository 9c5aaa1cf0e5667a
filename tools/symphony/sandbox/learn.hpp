// Learns what a pit asks the kernel for while it serves.   Layer: tools. Threads: any; each uses a thread to trace.
#pragma once

#include <string>

#include <symphony/pit_info.hpp>

#include "tools/symphony/sandbox/seen_calls.hpp"

namespace symphony::tools {

struct Learned {
  SeenCalls calls;
  std::uint64_t requests = 0;  // that were made of it meanwhile; 0: by whoever else calls it
  std::string trouble;         // empty: it was watched from its being ready until its end, or as long as was asked for
  int exit_status = 0;         // of the trouble
};

// Runs the pit in that file, an absolute path, behind all walls that this machine gives but the filters, calls each of
// its message types with bodies that mean nothing, and stops it.
[[nodiscard]] Learned learn_from_file(const std::string& file);

// Watches the pit of that report, which a broker runs, for so long.
[[nodiscard]] Learned learn_from_running(const PitReport& pit, TimeNs for_ns);

}  // namespace symphony::tools
