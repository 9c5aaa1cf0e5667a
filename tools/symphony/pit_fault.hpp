// symphony pit fault: what an operator may do to a running pit from outside, as its code would do it to itself.
// Layer: tools.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_pit_fault_verb(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
