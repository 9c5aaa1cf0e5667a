// symphony pit new: a folder with a pit that builds and passes the conformance suite.   Layer: tools.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

// Below `pit`.
void add_pit_new_verb(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
