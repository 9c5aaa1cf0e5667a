// symphony pit check: the conformance suite on a pit's file.   Layer: tools.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

// Below `pit`.
void add_pit_check_verb(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
