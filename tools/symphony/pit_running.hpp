// symphony pit list, show, start, stop, restart: of a broker's pits.   Layer: tools.
#pragma once

#include <string>

#include "tools/symphony/broker_place.hpp"

namespace symphony::tools {

int list_running(const BrokerPlace& place, const std::string& format);
int show_running(const BrokerPlace& place, const std::string& pit, const std::string& format);
void add_pit_running_verbs(CLI::App& pit, int& exit_status);

// How deaths are told, also those of dead letters. wall_time: a point on CLOCK_MONOTONIC as the wall clock shows it.
[[nodiscard]] std::string wall_time(TimeNs at_ns);
[[nodiscard]] std::string how_text(const PitDeath& death);
[[nodiscard]] CliJson json_of_death(const PitDeath& death);
[[nodiscard]] std::string indented_lines(const std::string& text);

}  // namespace symphony::tools
