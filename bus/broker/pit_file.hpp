// The file that a pit is made of, as its configuration names it.   Layer: broker. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <symphony/broker.hpp>

namespace symphony::detail::broker {

// The argument of the program that loads pits, or a program itself. `config` may be const or not.
template <class Config>
[[nodiscard]] auto& file_of(Config& config) {
  constexpr std::string_view pit_host = "symphony-pit-host";
  const std::string_view program = std::string_view(config.executable).substr(config.executable.rfind('/') + 1);
  return program == pit_host && config.args.size() == 1 ? config.args[0] : config.executable;
}

// The same pit from another file; empty: from the same.
[[nodiscard]] inline PitConfig with_file(PitConfig config, const std::string& file) {
  if (!file.empty()) file_of(config) = file;
  return config;
}

}  // namespace symphony::detail::broker
