#include <fmt/format.h>

#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {
namespace {

constexpr std::size_t examples_max = 3;

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

std::vector<std::string> note_lines(const GraphNotes& notes) {
  std::vector<std::string> lines;
  if (notes.not_installed > 0) {
    lines.push_back(
        counted(notes.not_installed, "package that is not installed was", "packages that are not installed were") +
        " left out");
  }
  if (notes.repeated > 0) {
    lines.push_back(counted(notes.repeated, "further stanza", "further stanzas") +
                    " of a name seen before left out: the first counts");
  }
  if (notes.foreign > 0) {
    lines.push_back(counted(notes.foreign, "package", "packages") +
                    " of a foreign architecture, named name:architecture");
  }
  if (notes.later_alternatives > 0) {
    lines.push_back(counted(notes.later_alternatives, "dependency", "dependencies") +
                    " met by a later alternative of a | b");
  }
  if (notes.virtual_dependencies > 0) {
    lines.push_back(counted(notes.virtual_dependencies, "dependency", "dependencies") +
                    " met by a package that provides the name");
  }
  if (notes.self_dependencies > 0) {
    lines.push_back(counted(notes.self_dependencies, "dependency", "dependencies") +
                    " of a package on itself left out");
  }
  if (notes.unmet > 0) {
    std::string line = counted(notes.unmet, "dependency", "dependencies") + " met by nothing here left out: ";
    std::size_t shown = 0;
    for (; shown < notes.unmet_list.size() && shown < examples_max; ++shown) {
      if (shown > 0) line += ", ";
      line += notes.unmet_list[shown];
    }
    if (notes.unmet > shown) line += fmt::format(", and {} more", notes.unmet - shown);
    lines.push_back(line);
  }
  if (notes.maybe_cut) lines.emplace_back("no empty line stands behind the last stanza: the file may be cut there");
  return lines;
}

}  // namespace symphony::tools
