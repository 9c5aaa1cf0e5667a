// How Debian package lists become graphs: each rule of tools/symphony/graph/README.md with the smallest list that shows
// it.
#include "tools/symphony/graph/package_graph.hpp"

#include "tests/unit/tools_graph/graph_support.hpp"

namespace symphony::tools {
namespace {

using testing::named_edges;
using testing::NamedEdges;

// "Package: NAME" and the given fields, as an apt list has it.
std::string package(const std::string& name, const std::string& fields = "") {
  return "Package: " + name + "\nArchitecture: amd64\n" + fields + "\n";
}

TaskGraph graph_of(const std::string& text) {
  auto graph = parse_graph(text, "list");
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text);
  if (!graph) return {};
  testing::expect_well_formed(*graph);
  return std::move(*graph);
}

InputError error_of(const std::string& text) {
  const auto graph = parse_graph(text, "list");
  EXPECT_FALSE(graph) << text;
  if (graph) return {};
  testing::expect_one_line(graph.error());
  return graph.error();
}

TEST(PackageGraph, DependencyStandsBeforeItsDependant) {
  const TaskGraph graph =
      graph_of(package("app", "Depends: lib\n") + package("lib", "Pre-Depends: base\n") + package("base"));
  EXPECT_EQ(graph.names, (std::vector<std::string>{"app", "lib", "base"}));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"lib", "app"}, {"base", "lib"}}));
  EXPECT_EQ(graph.notes.format, GraphFormat::apt_packages);
  EXPECT_TRUE(note_lines(graph.notes).empty());
}

TEST(PackageGraph, RecommendsSuggestsAndBreaksMakeNoEdge) {
  const TaskGraph graph =
      graph_of(package("app", "Recommends: lib\nSuggests: lib\nBreaks: lib\nConflicts: lib\n") + package("lib"));
  EXPECT_TRUE(graph.edges.empty());
}

TEST(PackageGraph, VersionsAreNotComparedAndArchitecturesAreDropped) {
  const TaskGraph graph = graph_of(package("app", "Depends: a(>= 99:1.0~rc1), b:any (<< 0) , c:amd64\n") +
                                   package("a", "Version: 1\n") + package("b", "Version: 1\n") + package("c"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"a", "app"}, {"b", "app"}, {"c", "app"}}));
}

TEST(PackageGraph, FirstAlternativeThatIsThereCounts) {
  const TaskGraph graph =
      graph_of(package("app", "Depends: gone | second | third\n") + package("third") + package("second"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"second", "app"}}));
  EXPECT_EQ(graph.notes.later_alternatives, 1U);
  EXPECT_EQ(graph.notes.dependencies, 1U);
}

TEST(PackageGraph, EarlierAlternativeThatIsProvidedWinsOverALaterPackage) {
  const TaskGraph graph =
      graph_of(package("app", "Depends: virtual | real\n") + package("real") + package("maker", "Provides: virtual\n"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"maker", "app"}}));
}

TEST(PackageGraph, PackageOfTheNameWinsOverItsProviders) {
  const TaskGraph graph =
      graph_of(package("app", "Depends: mta\n") + package("another", "Provides: mta\n") + package("mta"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"mta", "app"}}));
  EXPECT_EQ(graph.notes.virtual_dependencies, 0U);
}

TEST(PackageGraph, OfSeveralProvidersTheFirstInByteOrderCounts) {
  const TaskGraph graph = graph_of(package("app", "Depends: awk\n") + package("original-awk", "Provides: awk\n") +
                                   package("gawk", "Provides: x, awk (= 1)\n") + package("mawk", "Provides: awk\n"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"gawk", "app"}}));
  EXPECT_EQ(graph.notes.virtual_dependencies, 1U);
}

TEST(PackageGraph, PackageThatProvidesWhatItNeedsNeedsNobody) {
  const TaskGraph graph =
      graph_of(package("a-first", "Provides: mta\n") + package("exim", "Provides: mta\nDepends: mta, exim\n"));
  EXPECT_TRUE(graph.edges.empty());
  EXPECT_EQ(graph.notes.self_dependencies, 2U);
}

TEST(PackageGraph, UnmetDependenciesAreCountedAndListedButNoError) {
  const TaskGraph graph = graph_of(package("app", "Depends: gone (>= 1) | lost, here\n") + package("here"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"here", "app"}}));
  EXPECT_EQ(graph.notes.unmet, 1U);
  EXPECT_EQ(graph.notes.unmet_list, (std::vector<std::string>{"app needs gone | lost"}));
  EXPECT_EQ(note_lines(graph.notes),
            (std::vector<std::string>{"1 dependency met by nothing here left out: app needs gone | lost"}));
}

TEST(PackageGraph, ListOfUnmetDependenciesEndsAtItsMaximumWhileTheCountGoesOn) {
  std::string depends = "Depends: g0";
  for (std::size_t i = 1; i <= GraphNotes::unmet_listed_max; ++i) depends += ", g" + std::to_string(i);
  const TaskGraph graph = graph_of(package("app", depends + "\n"));
  EXPECT_EQ(graph.notes.unmet, GraphNotes::unmet_listed_max + 1);
  EXPECT_EQ(graph.notes.unmet_list.size(), GraphNotes::unmet_listed_max);
  EXPECT_EQ(note_lines(graph.notes).at(0),
            "21 dependencies met by nothing here left out: app needs g0, app needs g1, app needs g2, and 18 more");
}

TEST(PackageGraph, RepeatedDependenciesMakeOneEdge) {
  const TaskGraph graph = graph_of(package("app", "Pre-Depends: lib\nDepends: lib (>= 1), lib (<< 2), virtual\n") +
                                   package("lib", "Provides: virtual\n"));
  EXPECT_EQ(graph.edges.size(), 1U);
  EXPECT_EQ(graph.notes.repeated_edges, 3U);
}

TEST(PackageGraph, FirstStanzaOfANameCounts) {
  const TaskGraph graph = graph_of(package("app", "Depends: lib\n") + package("lib") +
                                   package("app", "Depends: other\n") + package("other"));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"lib", "app"}}));
  EXPECT_EQ(graph.notes.repeated, 1U);
}

TEST(PackageGraph, ForeignPackageIsNamedWithItsArchitectureAndPrefersItsOwnKind) {
  const TaskGraph graph = graph_of(package("libc6") + package("dpkg", "Depends: libc6\n") + package("tool") +
                                   "Package: libc6\nArchitecture: i386\n\n"
                                   "Package: wine\nArchitecture: i386\nDepends: libc6, tool\n\n");
  EXPECT_EQ(graph.names, (std::vector<std::string>{"libc6", "dpkg", "tool", "libc6:i386", "wine:i386"}));
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"libc6", "dpkg"}, {"libc6:i386", "wine:i386"}, {"tool", "wine:i386"}}));
  EXPECT_EQ(graph.notes.foreign, 2U);
}

TEST(PackageGraph, ArchitectureOfDpkgIsTheNativeOneHoweverManyOthersThereAre) {
  const TaskGraph graph = graph_of(package("a") + package("b") + "Package: dpkg\nArchitecture: arm64\n\n" +
                                   "Package: c\nArchitecture: all\n\n");
  EXPECT_EQ(graph.names, (std::vector<std::string>{"a:amd64", "b:amd64", "dpkg", "c"}));
}

TEST(PackageGraph, OnlyInstalledPackagesOfAStatusFileBecomeTasks) {
  std::string text;
  for (const char* status : {"install ok installed", "hold ok installed", "install ok triggers-pending",
                             "install ok triggers-awaited", "deinstall ok config-files", "unknown ok not-installed",
                             "install reinstreq half-installed", "install ok unpacked", "install ok half-configured"}) {
    std::string name = status;
    std::replace(name.begin(), name.end(), ' ', '-');
    text += package(name, std::string("Status: ") + status + "\n");
  }
  text += package("no-status-at-all");
  const TaskGraph graph = graph_of(text);
  EXPECT_EQ(graph.names, (std::vector<std::string>{"install-ok-installed", "hold-ok-installed",
                                                   "install-ok-triggers-pending", "install-ok-triggers-awaited"}));
  EXPECT_EQ(graph.notes.not_installed, 6U);
  EXPECT_EQ(graph.notes.format, GraphFormat::dpkg_status);
}

TEST(PackageGraph, NotInstalledPackagesProvideNothing) {
  const TaskGraph graph = graph_of(package("app", "Status: install ok installed\nDepends: editor\n") +
                                   package("vim", "Status: deinstall ok config-files\nProvides: editor\n"));
  EXPECT_EQ(graph.notes.unmet, 1U);
}

TEST(PackageGraph, StatusFileWithNothingInstalledIsAnError) {
  EXPECT_EQ(error_of(package("vim", "Status: deinstall ok config-files\n")).fault, InputFault::no_tasks);
}

TEST(Stanzas, FoldedFieldsCommentsAnyCaseAndCarriageReturnsAreRead) {
  const TaskGraph graph = graph_of(
      "# a comment\r\n"
      "PACKAGE:app\r\n"
      "depends: a,\r\n"
      "\tb |\r\n"
      " gone,\r\n"
      "  c,\r\n"
      "Description: text\r\n"
      " .\r\n"
      " Depends: not a field\r\n"
      "\r\n"
      "\r\n"
      "Package: a\r\n\r\nPackage: b\r\n\r\nPackage: c\r\n\r\n");
  EXPECT_EQ(named_edges(graph), (NamedEdges{{"a", "app"}, {"b", "app"}, {"c", "app"}}));
}

TEST(Stanzas, FileThatEndsInsideALineIsTruncated) {
  const InputError error = error_of("Package: app\nVersion: 1\n\nPackage: lib\nVers");
  EXPECT_EQ(error.fault, InputFault::truncated);
  EXPECT_NE(error.text.find("line 5"), std::string::npos) << error.text;
}

TEST(Stanzas, FileThatEndsWithoutAnEmptyLineIsReadAndSaysSo) {
  const TaskGraph graph = graph_of("Package: app\nVersion: 1\n");
  EXPECT_EQ(graph.names.size(), 1U);
  EXPECT_TRUE(graph.notes.maybe_cut);
  EXPECT_EQ(note_lines(graph.notes).size(), 1U);
}

TEST(Stanzas, BrokenLinesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Package: app\nVersion 1\n\n", "line 2"},
      {"Package: app\n\n folded\n\n", "line 3"},
      {"Package: app\n\nVersion: 1\n\n", "line 3"},
      {"Package: app\nPackage: lib\n\n", "line 2"},
      {"Package: app\nDepends: a\nDepends: b\n\n", "line 3"},
      {"Package: app\n\nPackage: two words\n\n", "line 3"},
      {"Package: app\n-Field: x\n\n", "line 2"},
  };
  for (const auto& [text, line] : cases) {
    const InputError error = error_of(text);
    EXPECT_EQ(error.fault, InputFault::malformed) << text;
    EXPECT_NE(error.text.find(line), std::string::npos) << error.text;
  }
}

TEST(Stanzas, OtherTextIsAnUnknownFormat) {
  for (const char* text :
       {"hello\n", "hello", "Origin: Debian\nSuite: stable\n\n", "#!/bin/sh\nexit 1\n", "key = value\n", "[section]\n",
        "root:x:0:0:root:/root:/bin/sh\n", " indented\n", "# only a comment\n"}) {
    EXPECT_EQ(error_of(text).fault, InputFault::unknown_format) << text;
  }
}

}  // namespace
}  // namespace symphony::tools
