// symphony bench faults: the containment matrix.   Layer: tools. Threads: one at a time.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_bench_faults_verb(CLI::App& bench, int& exit_status);

}  // namespace symphony::tools
