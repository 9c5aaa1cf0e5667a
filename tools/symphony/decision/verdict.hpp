// What a result says in one sentence, and in a table: the same words in the page, the terminal and Markdown.
// Layer: tools. Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tools/symphony/decision/result.hpp"

namespace symphony::tools {

// Of the pit: the way that contains most of the faults tried in it, of these the fastest; beside it the fastest of all.
// Without a matrix the fastest.
[[nodiscard]] std::string verdict_of(const HostingResult& result, const PitResult& pit);
// The pit that the first screen is about: the last, which does the most.
[[nodiscard]] const PitResult& main_pit(const HostingResult& result);

inline const std::vector<std::string>& verdict_heads() {
  static const std::vector<std::string> heads{"way",       "p50",        "p99",     "p99.9",   "max",
                                              "calls/s",   "CPU a call", "memory",  "restart", "swap pause",
                                              "contained", "trust",      "you lose"};
  return heads;
}
// One row a way, as many cells as heads; a way that is not drawn says why in the second.
[[nodiscard]] std::vector<std::vector<std::string>> verdict_rows(const PitResult& pit);
[[nodiscard]] std::vector<std::string> trust_strip(const HostingResult& result);
[[nodiscard]] std::string score_text(const ModeResult& row);
// The safety score as a share, 0 to 1: not every fault can be tried in every way. 0 where none was.
[[nodiscard]] double contained_share(const ModeResult& row);
[[nodiscard]] std::string ms_text(const std::optional<double>& ms);
// The ways whose p99 no other one beats while it contains as much, by rising p99.
[[nodiscard]] std::vector<const ModeResult*> pareto_of(const PitResult& pit);

}  // namespace symphony::tools
