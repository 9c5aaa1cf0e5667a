// symphony pit list, show, start, stop, restart: of a broker's pits.   Layer: tools.
#pragma once

#include <string>

#include "tools/symphony/broker_place.hpp"

namespace symphony::tools {

int list_running(const BrokerPlace& place, const std::string& format);
int show_running(const BrokerPlace& place, const std::string& pit, const std::string& format);
void add_pit_running_verbs(CLI::App& pit, int& exit_status);

}  // namespace symphony::tools
