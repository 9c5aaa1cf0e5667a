// symphony pit logs: what a broker's pit wrote to stderr.   Layer: tools.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_pit_logs_verb(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
