// A graph of named tasks: what every input format is turned into and what a DagTracker pit is given.   Layer: tools.
// Invariants of a graph made by a reader: names are unique and not empty; every edge names two tasks; edges are sorted
// by (after, before) and stand once each. Only a JSON edge list can bring an edge from a task to itself.
// Threads: a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace symphony::tools {

// `before` has to be finished when `after` starts. Both are positions in TaskGraph::names.
struct Edge {
  std::uint32_t after = 0;
  std::uint32_t before = 0;
  friend bool operator==(const Edge&, const Edge&) = default;
  friend bool operator<(const Edge& a, const Edge& b) noexcept {
    return a.after != b.after ? a.after < b.after : a.before < b.before;
  }
};

enum class GraphFormat : std::uint8_t { dpkg_status, apt_packages, json };

// What a reader resolved, merged or left out. Counts are of the whole input; the list is cut at unmet_listed_max.
struct GraphNotes {
  static constexpr std::size_t unmet_listed_max = 20;

  GraphFormat format = GraphFormat::json;
  std::uint64_t stanzas = 0;               // packages described by the file
  std::uint64_t not_installed = 0;         // dpkg status only: stanzas left out because they are not installed
  std::uint64_t repeated = 0;              // a name (and architecture) seen before: the first stanza was kept
  std::uint64_t foreign = 0;               // tasks of another architecture, named name:architecture
  std::uint64_t dependencies = 0;          // relations read, each `a | b` once
  std::uint64_t later_alternatives = 0;    // of these, met by another than the first alternative
  std::uint64_t virtual_dependencies = 0;  // of these, met by a package that provides the name
  std::uint64_t self_dependencies = 0;     // left out
  std::uint64_t repeated_edges = 0;        // merged
  std::uint64_t unmet = 0;                 // left out
  std::vector<std::string> unmet_list;     // "package needs a | b", the first unmet_listed_max in the order of the file
  bool maybe_cut = false;                  // the last stanza has no empty line behind it
};

struct TaskGraph {
  std::vector<std::string> names;
  std::vector<Edge> edges;
  GraphNotes notes;
};

// The notes as sentences for a person, one a line, without a line end. Empty when there is nothing worth saying.
[[nodiscard]] std::vector<std::string> note_lines(const GraphNotes& notes);

}  // namespace symphony::tools
