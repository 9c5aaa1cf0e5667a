// The machine's own package lists, when it has them: sizes no sample has. What is found is printed; what must hold is
// that the graph keeps its promises and that condensing takes every cycle.
#include <filesystem>
#include <iostream>
#include <symphony/clock.hpp>

#include "tests/unit/tools_graph/graph_support.hpp"

namespace symphony::tools {
namespace {

void load_and_check(const std::string& path) {
  const TimeNs start = now_ns();
  auto bytes = read_input(path);
  ASSERT_TRUE(bytes) << bytes.error().text;
  const TimeNs read = now_ns();
  auto graph = parse_graph(bytes->view(), path);
  ASSERT_TRUE(graph) << graph.error().text;
  const TimeNs parsed = now_ns();
  const Condensed condensed = condense(*graph);
  const TimeNs done = now_ns();
  testing::expect_well_formed(*graph);
  testing::expect_well_formed(condensed.graph);
  EXPECT_TRUE(find_cycle(condensed.graph).empty());
  EXPECT_EQ(find_cycle(*graph).empty(), condensed.groups == 0);
  EXPECT_EQ(graph->names.size() - condensed.members + condensed.groups, condensed.graph.names.size());
  EXPECT_EQ(graph->notes.stanzas - graph->notes.not_installed - graph->notes.repeated, graph->names.size());
  EXPECT_EQ(
      graph->notes.dependencies - graph->notes.unmet - graph->notes.self_dependencies - graph->notes.repeated_edges,
      graph->edges.size())
      << "each dependency is an edge or counted as something else";
  std::cout << path << ": " << graph->names.size() << " tasks, " << graph->edges.size() << " edges; "
            << condensed.groups << " cyclic groups of " << condensed.members << " (largest " << condensed.largest
            << "); condensed " << condensed.graph.names.size() << " tasks, " << condensed.graph.edges.size()
            << " edges, " << levels(condensed.graph) << " levels; read " << (read - start) / ms_ns << " ms, parse "
            << (parsed - read) / ms_ns << " ms, condense " << (done - parsed) / ms_ns << " ms\n";
}

TEST(RealLists, InstalledPackagesOfThisMachineLoad) {
  if (!std::filesystem::exists(dpkg_status_file)) GTEST_SKIP() << "no dpkg here";
  load_and_check(dpkg_status_file);
}

TEST(RealLists, PackageListsOfThisMachineLoad) {
  const std::filesystem::path folder = "/var/lib/apt/lists";
  std::size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (name.find("_Packages") == std::string::npos) continue;
    ++count;
    ASSERT_NO_FATAL_FAILURE(load_and_check(entry.path()));
  }
  if (count == 0) GTEST_SKIP() << "no package lists here; apt-get update fetches them";
}

}  // namespace
}  // namespace symphony::tools
