#include "tools/symphony/graph/graph_input.hpp"

#include <fmt/format.h>

#include <utility>

#include "tools/symphony/graph/deb822.hpp"
#include "tools/symphony/graph/json_graph.hpp"
#include "tools/symphony/graph/package_graph.hpp"
#include "tools/symphony/graph/utf8.hpp"

namespace symphony::tools {
namespace {

// A JSON document that could be an edge list, or a failed attempt at one; "[section]" of an INI file is not.
bool looks_like_json(std::string_view text) {
  if (text.front() == '{') return true;
  if (text.front() != '[') return false;
  const std::size_t second = text.find_first_not_of(" \t\r\n", 1);
  return second == std::string_view::npos || std::string_view("[{\"]").find(text[second]) != std::string_view::npos;
}

}  // namespace

InputResult<TaskGraph> parse_graph(std::string_view text, std::string_view label) {
  if (const std::size_t bad = first_bad_utf8(text); bad != all_utf8) {
    if (bad > 0 && is_cut_utf8(text, bad)) {
      return InputError{
          InputFault::truncated,
          fmt::format("{}: ends inside a character at byte {}; fetch or write the file again", label, bad)};
    }
    return InputError{InputFault::not_utf8,
                      fmt::format("{}: is not UTF-8 at byte {}; convert it with iconv or fetch it again", label, bad)};
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return InputError{InputFault::empty, fmt::format("{}: is empty; give a file with at least one task", label)};
  }
  if (looks_like_json(text.substr(first))) return read_json_graph(text, label);
  InputResult<Stanzas> stanzas = read_stanzas(text, label);
  if (!stanzas) return std::move(stanzas.error());
  return resolve_packages(*stanzas, label);
}

InputResult<Condensed> load_graph(const std::string& path, const LoadOptions& options) {
  InputResult<Bytes> bytes = read_input(path, options.limits);
  if (!bytes) return std::move(bytes.error());
  const std::string label = label_of(path);
  InputResult<TaskGraph> graph = parse_graph(bytes->view(), label);
  if (!graph) return std::move(graph.error());
  if (options.condense) return condense(std::move(*graph));
  if (const auto cycle = find_cycle(*graph); !cycle.empty()) return cycle_error(*graph, cycle, label);
  Condensed out;
  out.graph = std::move(*graph);
  return out;
}

std::string_view graph_formats_help() noexcept {
  return "A graph file is one of these; which one is told from its content:\n"
         "  dpkg status    /var/lib/dpkg/status. Only installed packages become tasks.\n"
         "  apt Packages   a package list; every stanza becomes a task. Compressed lists\n"
         "                 (.gz .xz .lz4 .zst) are unpacked with apt's own helper.\n"
         "  JSON           {\"tasks\": [\"a\", \"b\"], \"edges\": [[\"a\", \"b\"]]}\n"
         "                 where each edge is [before, after].\n"
         "\n"
         "Dependencies of packages are Depends and Pre-Depends; the package depended on\n"
         "comes first. Versions are not compared, and architectures such as :any are\n"
         "dropped. Of alternatives (a | b) the first that is there counts: as a package,\n"
         "or else as a name that one provides. Of several providers the first in byte\n"
         "order counts, or the package itself. What nothing meets is left out and\n"
         "counted, as is a package's need of itself. Of several stanzas of one name the\n"
         "first counts; packages of a foreign architecture are named name:arch.\n"
         "\n"
         "A cycle is an error unless --condense merges each into one task.\n";
}

}  // namespace symphony::tools
