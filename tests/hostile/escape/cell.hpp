// Where attempts to get out are made: namespaces of their own, thrown away with all that is in them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <symphony/sandbox.hpp>

#include "tests/hostile/escape/attempts.hpp"

namespace symphony::hostile {

// The walls of one trial.
struct Walls {
  SandboxBlocks wanted = 0;  // 0: none, and the attempt is made as it is
  bool first_phase_only = false;
};

struct Trial {
  bool worked = false;
  bool was_killed = false;  // by SIGSYS
  SandboxBlocks reached = 0;
  bool ran = false;                // the walls were up, as far as this kernel has them
  bool neighbour_is_well = false;  // it lives, and its file says what it said
};

// One trial for each of `walls`, in order, in a cell for all. Nothing: this machine gives no cell.
[[nodiscard]] std::optional<std::vector<Trial>> try_in_cell(const Attempt& attempt, const std::vector<Walls>& walls);

}  // namespace symphony::hostile
