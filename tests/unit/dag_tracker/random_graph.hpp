// Random graphs.   Layer: tests.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "tests/support/samples.hpp"

namespace symphony::pit::tracker::testing {

using test_run::samples;
inline std::uint64_t run_seed() { return test_run::seed(); }
using Rng = std::mt19937_64;

inline std::uint32_t below(Rng& rng, std::uint32_t end) { return static_cast<std::uint32_t>(rng() % end); }

struct Edges {
  std::vector<std::uint32_t> before, after;

  void add(std::uint32_t b, std::uint32_t a) {
    before.push_back(b);
    after.push_back(a);
  }
  [[nodiscard]] std::size_t size() const { return before.size(); }
};

// Without cycles: each edge follows a hidden order of the tasks that is not their numbering. May repeat edges.
inline Edges random_acyclic(Rng& rng, std::uint32_t tasks, std::uint32_t edges) {
  std::vector<std::uint32_t> order(tasks);
  for (std::uint32_t i = 0; i < tasks; ++i) order[i] = i;
  for (std::uint32_t i = tasks; i > 1; --i) std::swap(order[i - 1], order[below(rng, i)]);
  Edges out;
  for (std::uint32_t i = 0; tasks > 1 && i < edges; ++i) {
    const std::uint32_t a = 1 + below(rng, tasks - 1);
    out.add(order[below(rng, a)], order[a]);
  }
  return out;
}

// Any edges at all, cycles and self-edges included.
inline Edges random_edges(Rng& rng, std::uint32_t tasks, std::uint32_t edges) {
  Edges out;
  for (std::uint32_t i = 0; i < edges; ++i) out.add(below(rng, tasks), below(rng, tasks));
  return out;
}

}  // namespace symphony::pit::tracker::testing
