// symphony bench report, compare, gate.   Layer: tools. Threads: one at a time.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_report_verbs(CLI::App& bench, int& exit_status);

}  // namespace symphony::tools
