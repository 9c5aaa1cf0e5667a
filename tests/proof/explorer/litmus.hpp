// Tiny programs of loads and stores, and all their outcomes, found in two ways.   Layer: tests. Threads: one.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/proof/explorer/explorer.hpp"

namespace symphony::proof {

// Stores of one word are all of one thread, each of another value; words begin as 0.
struct LitmusOp {
  int thread;
  Access access;
  int word;
  Order order;
  std::uint64_t value = 0;  // of a store
};
using Litmus = std::vector<LitmusOp>;

// What the loads read, one digit a load in the order of the list.
using Outcomes = std::set<std::string>;

// By running it in the explorer. A violation, or an outcome that came up twice, is one more outcome: there is one
// execution for each.
[[nodiscard]] Outcomes explored(Explorer& explorer, const Litmus& program);

// By trying all assignments of stores to loads against the rules of the standard, one relation at a time.
[[nodiscard]] Outcomes by_the_standard(const Litmus& program);

}  // namespace symphony::proof
