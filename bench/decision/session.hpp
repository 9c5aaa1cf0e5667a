// One pit, one way of hosting, one process: everything that is measured of it.   Layer: bench. Threads: one.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/decision/door.hpp"
#include "bench/decision/trace.hpp"

namespace symphony::bench {

struct SessionPlan {
  DoorPlan door;
  std::string replies;  // a file: with `baseline` written, else what replies are compared with
  bool baseline = false;
  TimeNs closed_ns = 0;           // for back-to-back calls
  TimeNs open_ns = 0;             // for calls at `rate`; 0: none
  double rate = 0;                // calls a second
  std::vector<double> cold_hz{};  // and so often each, cold_calls of them
  std::uint32_t repeats = 1;      // of snapshot, restore, swap, and of a kill where it has a process
};

// Measures. "status": "ok"; "not_hosted" and "failed" have "why".
[[nodiscard]] nlohmann::ordered_json run_session(const SessionPlan& plan, const Trace& trace);

}  // namespace symphony::bench
