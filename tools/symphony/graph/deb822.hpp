// Reads the stanzas of Debian's package lists: dpkg's status file and apt's Packages files share this syntax.
// Layer: tools. Threads: any. Lifetime: all views point into the text given.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

// The fields a dependency graph needs. A folded value holds its line ends; an absent field is an empty view.
struct Stanza {
  std::string_view package;
  std::string_view architecture;
  std::string_view status;
  std::string_view pre_depends;
  std::string_view depends;
  std::string_view provides;
};

struct Stanzas {
  std::vector<Stanza> list;    // each has a package
  bool has_status = false;     // some stanza has a Status field: this is a dpkg status file
  bool ends_complete = false;  // an empty line stands behind the last stanza, as both real formats have it
};

// Field names are compared without regard to case, '#' lines are comments, a carriage return before a line end is
// dropped. Not an empty text, UTF-8 checked before. `label` names the input in errors.
//   unknown_format  it breaks these rules before any Package field was seen, or has none
//   truncated       the last line has no line end
//   malformed       it breaks the rules later; the line is named
[[nodiscard]] InputResult<Stanzas> read_stanzas(std::string_view text, std::string_view label);

}  // namespace symphony::tools
