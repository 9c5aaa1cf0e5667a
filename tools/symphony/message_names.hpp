// Names of message types against the numbers that a pit's note has of them.   Layer: tools. Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace symphony::tools {

// A fully qualified table name: words of letters, digits and _, with dots between them.
[[nodiscard]] bool is_message_name(std::string_view name) noexcept;

// The name of one of `types` that somebody meant who typed `name`: one letter changed, added, left out or exchanged
// with the next, or the namespace `space` left out. Empty: none. A note has numbers and no names, so others cannot be
// told.
[[nodiscard]] std::string message_name_near(std::string_view name, std::string_view space,
                                            const std::vector<std::uint32_t>& types);

}  // namespace symphony::tools
