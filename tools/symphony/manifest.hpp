// What an operator says of a pit: a TOML file a pit.   Layer: tools. Threads: any.
#pragma once

#include <string>
#include <string_view>

#include <symphony/broker.hpp>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

// The pit that the file at `path` describes. One-line errors that name the place; an unknown key is one, with a
// suggestion.
[[nodiscard]] InputResult<PitConfig> read_manifest(const std::string& path);

// The same for text that is at hand; `label` names it in errors.
[[nodiscard]] InputResult<PitConfig> parse_manifest(std::string_view text, const std::string& label);

// The keys, for --help.
[[nodiscard]] std::string_view manifest_help() noexcept;

}  // namespace symphony::tools
