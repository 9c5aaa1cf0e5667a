// A result as a page, for a terminal, and as Markdown.   Layer: tools. Threads: pure functions.
#pragma once

#include <string>

#include "tools/symphony/decision/result.hpp"

namespace symphony::tools {

inline constexpr std::size_t report_size_max = 400 * 1024;

// One file that needs no network and no script; the documents are inside, so that it can be compared with another.
[[nodiscard]] std::string report_html(const HostingResult& result);
[[nodiscard]] std::string report_term(const HostingResult& result);
[[nodiscard]] std::string report_markdown(const HostingResult& result);

}  // namespace symphony::tools
