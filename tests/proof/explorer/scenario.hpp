// The table of what is explored: each scenario a small program over the production templates.   Layer: tests.
// Threads: plain values.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/proof/explorer/explorer.hpp"

namespace symphony::proof {

struct Scenario {
  std::string name;
  std::string bounds;  // how large it is, in words
  Bounds threads;
  Explorer::Make make;
};

// The scenarios of a file each. `large`: with more messages than the ordinary run has time for.
void add_ring_scenarios(std::vector<Scenario>& all, bool large);
void add_sleep_scenarios(std::vector<Scenario>& all, bool large);
void add_close_scenarios(std::vector<Scenario>& all, bool large);
void add_death_scenarios(std::vector<Scenario>& all, bool large);
void add_link_death_scenarios(std::vector<Scenario>& all, bool large);
void add_board_scenarios(std::vector<Scenario>& all, bool large);

[[nodiscard]] inline std::vector<Scenario> all_scenarios(bool large) {
  std::vector<Scenario> all;
  add_ring_scenarios(all, large);
  add_sleep_scenarios(all, large);
  add_close_scenarios(all, large);
  add_death_scenarios(all, large);
  add_link_death_scenarios(all, large);
  add_board_scenarios(all, large);
  return all;
}

}  // namespace symphony::proof
