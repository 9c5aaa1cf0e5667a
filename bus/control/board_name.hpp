// What may be the name of a cell or topic.   Layer: control. Threads: a pure function.
#pragma once

#include <algorithm>
#include <string_view>

#include "bus/control/messages.hpp"

namespace symphony::detail::control {

// Parts of a-z 0-9 _ - . with single slashes between them.
[[nodiscard]] inline bool is_board_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > board_name_size_max || name.front() == '/' || name.back() == '/' ||
      name.find("//") != std::string_view::npos) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  });
}

}  // namespace symphony::detail::control
