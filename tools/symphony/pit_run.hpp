// symphony pit run: one pit's file behind a broker of its own.   Layer: tools.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_pit_run_verb(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
