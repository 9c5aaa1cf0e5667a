// Each change that would break the ring, and the scenario that must notice it.   Layer: tests. Threads: plain values.
#pragma once

#include <string>
#include <vector>

#include "tests/proof/explorer/mutation.hpp"

namespace symphony::proof {

struct Mutant {
  std::string name;
  Mutation mutation;
  std::string caught_by;  // a scenario
};

// An order one step weaker: one for each ordered access of the production templates.
[[nodiscard]] std::vector<Mutant> order_mutants();
// A store left out, a step in another order, a rule not kept.
[[nodiscard]] std::vector<Mutant> code_mutants();

}  // namespace symphony::proof
