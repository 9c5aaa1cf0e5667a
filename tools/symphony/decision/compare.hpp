// Two results side by side: what changed beyond the noise.   Layer: tools. Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tools/symphony/decision/result.hpp"

namespace symphony::tools {

struct Change {
  std::string pit, mode, what;  // what: "call", "outputs", "contained"
  Difference difference;        // of "call"
  std::string before, after;
  bool worse = false;
};
struct Comparison {
  std::vector<Change> changes;       // beyond the noise, or of kind
  std::vector<std::string> missing;  // rows that only one has, and what makes the two unlike
  std::size_t compared = 0;
};
[[nodiscard]] Comparison compare_results(const HostingResult& a, const HostingResult& b);
[[nodiscard]] std::string comparison_text(const Comparison& comparison);
[[nodiscard]] ResultJson comparison_json(const Comparison& comparison);
[[nodiscard]] bool has_regression(const Comparison& comparison);

}  // namespace symphony::tools
