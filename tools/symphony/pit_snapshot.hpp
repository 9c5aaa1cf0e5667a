// symphony pit snapshot, restore: a pit's state to a file and back.   Layer: tools.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_pit_snapshot_verbs(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
