// symphony bench peers: our link beside what else a program could take.   Layer: tools. Threads: one at a time.
#pragma once

#include "tools/symphony/bench/document.hpp"

namespace symphony::tools {

// Measures, prints, writes the figures; returns the exit status.
[[nodiscard]] int bench_peers(BenchArguments arguments);

}  // namespace symphony::tools
