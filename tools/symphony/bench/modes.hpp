// symphony bench modes: one pit in every mode, side by side.   Layer: tools. Threads: one at a time.
#pragma once

#include "tools/symphony/bench/document.hpp"

namespace symphony::tools {

// Measures, prints, keeps the document; returns the exit status. bench_modes writes the figures.
[[nodiscard]] int bench_modes(const BenchArguments& arguments);

}  // namespace symphony::tools
