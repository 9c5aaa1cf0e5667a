// One line for each thing that the core hears and says, to read what a seed does.   Layer: tests.
#pragma once

#include <string>

#include "bus/broker/core_types.hpp"

namespace symphony::proof {

[[nodiscard]] std::string text_of(const detail::broker::Event& event);
[[nodiscard]] std::string text_of(const detail::broker::Action& action);

}  // namespace symphony::proof
