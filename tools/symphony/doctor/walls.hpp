// What walls this machine gives a confined pit, and why not more.   Layer: tools.
#pragma once

#include <string>

#include "tools/symphony/doctor/finding.hpp"

namespace symphony::tools::doctor {

struct WallPrograms {
  std::string pit_host;  // symphony-pit-host
  std::string pit;       // a file of any pit that it can run
};

// A pit is really run, confined, by a broker of this process's own, and says what it reached; what it did not is asked
// for again, alone, so that the refusal says why. Takes some tens of milliseconds, at most `timeout_ns` a pit. What the
// pits write to stderr is taken for that time: no other thread is to write to it.
[[nodiscard]] Findings look_at_walls(const WallPrograms& programs);

}  // namespace symphony::tools::doctor
