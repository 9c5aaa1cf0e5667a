// What the rounds of one way of hosting say together.   Layer: tools. Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tools/symphony/bench/document.hpp"
#include "tools/symphony/bench/ways.hpp"

namespace symphony::tools {

inline constexpr int hosting_version = 1;  // of the document's own part

// A row of the document: what the way is, and its figures over the rounds with what each round said. The first round
// that was not ok makes the row so, with its reason.
[[nodiscard]] BenchJson hosting_row(const HostingWay& way, const std::vector<BenchJson>& rounds);
// For people: of each pit a table.
[[nodiscard]] std::string hosting_table(const BenchJson& document);

}  // namespace symphony::tools
