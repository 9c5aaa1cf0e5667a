// The checked-in samples: read as promised, equal to a second resolver written for plainness, and safe when they are
// cut at any byte or any byte of them is flipped.
#include <map>
#include <optional>
#include <sstream>

#include "tests/support/samples.hpp"
#include "tests/unit/tools_graph/graph_support.hpp"

namespace symphony::tools {
namespace {

using testing::named_edges;
using testing::NamedEdges;
using testing::sample;
using testing::sample_path;

// The rules once more, with maps and copies, for lists of one architecture without damage.
class PlainResolver {
 public:
  explicit PlainResolver(const std::string& text) {
    std::istringstream lines(text);
    std::map<std::string, std::string> stanza;
    std::string last;
    for (std::string line; std::getline(lines, line);) {
      if (line.empty()) {
        add(stanza);
        stanza.clear();
      } else if (line[0] == ' ') {
        stanza[last] += line;
      } else {
        last = line.substr(0, line.find(':'));
        stanza[last] = line.substr(line.find(':') + 1);
      }
    }
    add(stanza);
  }

  NamedEdges edges() {
    NamedEdges out;
    for (const auto& [name, stanza] : packages_) {
      for (const char* field : {"Pre-Depends", "Depends"}) {
        for (const std::string& relation : split(get(stanza, field), ',')) {
          for (const std::string& alternative : split(relation, '|')) {
            const std::optional<std::string> target = find(name, bare(alternative));
            if (!target) continue;
            if (*target != name) out.emplace(*target, name);
            break;
          }
        }
      }
    }
    return out;
  }

 private:
  using Stanza = std::map<std::string, std::string>;

  static std::string get(const Stanza& stanza, const char* field) {
    const auto at = stanza.find(field);
    return at == stanza.end() ? "" : at->second;
  }
  static std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
    return parts;
  }
  static std::string bare(const std::string& relation) {
    std::istringstream in(relation);
    std::string name;
    in >> name;
    return name.substr(0, name.find_first_of(":("));
  }

  void add(const Stanza& stanza) {
    if (stanza.empty()) return;
    const std::string status = get(stanza, "Status");
    if (!status.empty() && !status.ends_with(" installed") && status.find(" triggers-") == std::string::npos) return;
    std::string name = bare(get(stanza, "Package"));
    if (get(stanza, "Architecture") == " i386") name += ":i386";
    packages_.emplace(name, stanza);
  }

  std::optional<std::string> find(const std::string& from, const std::string& wanted) {
    if (from.ends_with(":i386") && packages_.contains(wanted + ":i386")) return wanted + ":i386";
    if (packages_.contains(wanted)) return wanted;
    std::optional<std::string> first;
    for (const auto& [name, stanza] : packages_) {
      for (const std::string& provided : split(get(stanza, "Provides"), ',')) {
        if (bare(provided) != wanted) continue;
        if (name == from) return from;
        if (!first) first = name;
      }
    }
    return first;
  }

  std::map<std::string, Stanza> packages_;
};

TaskGraph graph_of(const std::string& name) {
  auto graph = parse_graph(sample(name), name);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text);
  if (!graph) return {};
  testing::expect_well_formed(*graph);
  return std::move(*graph);
}

TEST(Samples, PackageListsGiveTheEdgesOfThePlainResolver) {
  for (const char* name : {"dpkg-status", "apt-packages"}) {
    EXPECT_EQ(named_edges(graph_of(name)), PlainResolver(sample(name)).edges()) << name;
  }
}

TEST(Samples, StatusFileIsResolvedAsItsDescriptionSays) {
  const TaskGraph graph = graph_of("dpkg-status");
  EXPECT_EQ(graph.names.size(), 59U);
  EXPECT_EQ(graph.notes.stanzas, 62U);
  EXPECT_EQ(graph.notes.not_installed, 3U);
  EXPECT_EQ(graph.notes.foreign, 2U);
  EXPECT_EQ(graph.notes.self_dependencies, 2U);
  EXPECT_EQ(graph.notes.unmet, 23U);
  const NamedEdges edges = named_edges(graph);
  EXPECT_TRUE(edges.contains({"mawk", "base-files"})) << "virtual: awk";
  EXPECT_TRUE(edges.contains({"courier-mta", "mailutils"})) << "default-mta | mail-transport-agent, two providers";
  EXPECT_TRUE(edges.contains({"libgcc-s1:i386", "libc6:i386"}));
  EXPECT_TRUE(edges.contains({"gcc-12-base", "libgcc-s1:i386"})) << "there is no gcc-12-base:i386";
  EXPECT_FALSE(edges.contains({"courier-mta", "exim4-daemon-light"})) << "it provides what it needs";
  const Condensed condensed = condense(graph);
  EXPECT_EQ(condensed.groups, 3U);
  EXPECT_EQ(condensed.members, 6U);
  EXPECT_EQ(condensed.graph.names.size(), 56U);
}

TEST(Samples, PackageListIsResolvedAsItsDescriptionSays) {
  const TaskGraph graph = graph_of("apt-packages");
  EXPECT_EQ(graph.notes.format, GraphFormat::apt_packages);
  EXPECT_EQ(graph.notes.stanzas, 25U);
  EXPECT_EQ(graph.notes.repeated, 1U);
  EXPECT_TRUE(named_edges(graph).contains({"gawk", "base-files"})) << "virtual: awk, three providers";
  const Condensed condensed = condense(graph);
  EXPECT_EQ(condensed.groups, 2U);
  EXPECT_EQ(condensed.largest, 3U);
}

TEST(Samples, EdgeListWithoutACycleLoadsAsItIs) {
  const auto loaded = load_graph(sample_path("build.json"));
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(loaded->graph.names.size(), 16U);
  EXPECT_EQ(loaded->graph.edges.size(), 22U);
  EXPECT_EQ(loaded->groups, 0U);
  EXPECT_EQ(levels(loaded->graph), 7U);
}

TEST(Samples, CycleIsRefusedWithItsPathUnlessCondensingIsAskedFor) {
  for (const auto& [name, path] : std::vector<std::pair<const char*, const char*>>{
           {"cycle.json", "compiler -> standard library -> compiler"},
           {"dpkg-status", "dmsetup -> libdevmapper1.02.1 -> dmsetup"},
           {"apt-packages", "libc6 -> libgcc-s1 -> libc6"},
       }) {
    const auto refused = load_graph(sample_path(name));
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().fault, InputFault::cycle);
    EXPECT_NE(refused.error().text.find(path), std::string::npos) << refused.error().text;
    EXPECT_NE(refused.error().text.find("--condense"), std::string::npos);
    testing::expect_one_line(refused.error());
    const auto loaded = load_graph(sample_path(name), {.condense = true, .limits = {}});
    ASSERT_TRUE(loaded) << name;
    EXPECT_GT(loaded->groups, 0U);
    EXPECT_TRUE(find_cycle(loaded->graph).empty());
  }
}

TEST(Samples, EachBadInputGivesItsOwnError) {
  const std::map<std::string, std::pair<InputFault, const char*>> expected = {
      {"blank", {InputFault::empty, "is empty"}},
      {"duplicate-task.json", {InputFault::duplicate_task, "\"compile\""}},
      {"edge-of-three.json", {InputFault::malformed, "edges[0]"}},
      {"empty", {InputFault::empty, "is empty"}},
      {"malformed-status", {InputFault::malformed, "line 7"}},
      {"no-tasks.json", {InputFault::no_tasks, "\"tasks\" is empty"}},
      {"none-installed", {InputFault::no_tasks, "is installed"}},
      {"not-a-list", {InputFault::unknown_format, "--help"}},
      {"not-json.json", {InputFault::malformed, "byte 28"}},
      {"not-utf8", {InputFault::not_utf8, "byte 12"}},
      {"stanzas-run-together", {InputFault::malformed, "line 4"}},
      {"truncated-status", {InputFault::truncated, "line 53"}},
      {"truncated.json", {InputFault::truncated, "after 700 bytes"}},
      {"unknown-format", {InputFault::unknown_format, "--help"}},
      {"unknown-key.json", {InputFault::malformed, "\"edge\""}},
      {"unknown-task.json", {InputFault::unknown_task, "[\"link\", \"instal\"]"}},
  };
  std::set<std::string> seen;
  for (const auto& entry : std::filesystem::directory_iterator(sample_path("bad"))) {
    const std::string name = entry.path().filename();
    seen.insert(name);
    ASSERT_TRUE(expected.contains(name)) << name << " has no row here";
    const auto& [fault, part] = expected.at(name);
    const auto graph = load_graph(entry.path());
    ASSERT_FALSE(graph) << name;
    EXPECT_EQ(graph.error().fault, fault) << graph.error().text;
    EXPECT_EQ(graph.error().exit_status(), 2);
    EXPECT_NE(graph.error().text.find(part), std::string::npos) << graph.error().text;
    EXPECT_EQ(graph.error().text.find(entry.path().string() + ": "), 0U) << graph.error().text;
    testing::expect_one_line(graph.error());
  }
  EXPECT_EQ(seen.size(), expected.size()) << "a sample is missing";
}

// Whatever the bytes: a graph that keeps its promises, or one error of one line.
void expect_graph_or_error(const std::string& text) {
  const auto graph = parse_graph(text, "sample");
  if (graph) {
    testing::expect_well_formed(*graph);
  } else {
    testing::expect_one_line(graph.error());
  }
}

class EverySample : public ::testing::TestWithParam<const char*> {};

TEST_P(EverySample, CutAtAnyByteGivesAGraphOrOneError) {
  const std::string whole = sample(GetParam());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    // A copy of the exact size, so that the address sanitizer sees one byte too many.
    ASSERT_NO_FATAL_FAILURE(expect_graph_or_error(std::string(whole, 0, size)));
    if (HasFailure()) return;
  }
}

TEST_P(EverySample, StatusOrListCutInsideALineIsNeverTakenForWhole) {
  const std::string whole = sample(GetParam());
  if (whole.front() == '{') {
    const std::size_t end = whole.rfind('}');
    for (std::size_t size = 1; size <= end; ++size) {
      const auto graph = parse_graph(std::string(whole, 0, size), "sample");
      ASSERT_FALSE(graph) << size;
      ASSERT_EQ(graph.error().fault, InputFault::truncated) << size;
    }
    return;
  }
  for (std::size_t size = 9; size < whole.size(); size += test_run::every()) {
    if (whole[size - 1] == '\n') continue;
    const auto graph = parse_graph(std::string(whole, 0, size), "sample");
    ASSERT_FALSE(graph) << size;
    ASSERT_EQ(graph.error().fault, InputFault::truncated) << size;
  }
}

TEST_P(EverySample, AnyByteFlippedGivesAGraphOrOneError) {
  std::string text = sample(GetParam());
  for (std::size_t at = 0; at < text.size(); at += test_run::every()) {
    SCOPED_TRACE(at);
    const char kept = text[at];
    // One bit, another one from byte to byte; and all of them.
    for (const unsigned mask : {1U << (at % 7), 0xFFU}) {
      text[at] = static_cast<char>(static_cast<unsigned char>(kept) ^ mask);
      ASSERT_NO_FATAL_FAILURE(expect_graph_or_error(text));
    }
    text[at] = kept;
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, EverySample,
                         ::testing::Values("dpkg-status", "apt-packages", "build.json", "cycle.json"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

TEST(Help, FormatsFitATerminalAndNameWhatTheReadersAccept) {
  const std::string_view help = graph_formats_help();
  std::istringstream lines{std::string(help)};
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 78U) << line;
  EXPECT_TRUE(help.ends_with('\n'));
  // The form it shows is one that is read.
  const std::size_t begin = help.find('{');
  const auto graph = parse_graph(help.substr(begin, help.find('}') - begin + 1), "help");
  ASSERT_TRUE(graph);
  EXPECT_EQ(named_edges(*graph), (NamedEdges{{"a", "b"}}));
}

}  // namespace
}  // namespace symphony::tools
