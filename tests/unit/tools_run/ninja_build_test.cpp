// The text is what ninja 1.11.1 prints for a build file with each form of step.
#include "tools/symphony/run/ninja_build.hpp"

#include <gtest/gtest.h>

#include <map>

namespace symphony::tools {
namespace {

constexpr std::string_view compdb = R"([
  { "directory": "/b", "command": "cc -c \"a b.c\"", "file": "a b.c", "output": "a.o" },
  { "directory": "/b", "command": "gen", "file": "in", "output": "x.h" },
  { "directory": "/b", "command": "ld a.o", "file": "a.o", "output": "main" },
  { "directory": "/b", "command": "not asked for", "file": "a.o", "output": "other" }
])";

constexpr std::string_view graph = R"(digraph ninja {
rankdir="LR"
node [fontsize=10, shape=box, height=0.25]
edge [fontsize=10]
"0x1" [label="all"]
"0x2" -> "0x1" [label=" phony"]
"0x2" [label="main"]
"0x3" [label="LINK", shape=ellipse]
"0x3" -> "0x2"
"0x4" -> "0x3" [arrowhead=none]
"0x5" -> "0x3" [arrowhead=none style=dotted]
"0x4" [label="a.o"]
"0x6" [label="CC", shape=ellipse]
"0x6" -> "0x4"
"0x7" -> "0x6" [arrowhead=none]
"0x8" -> "0x6" [arrowhead=none style=dotted]
"0x7" [label="a b.c"]
"0x8" [label="headers"]
"0x9" -> "0x8" [label=" phony"]
"0x9" [label="y.h"]
"0xa" [label="GEN", shape=ellipse]
"0xa" -> "0x9"
"0xa" -> "0xb"
"0xc" -> "0xa" [arrowhead=none]
"0xb" [label="x.h"]
"0xc" [label="in"]
"0x5" [label="stamp"]
"0xd" [label="STAMP", shape=ellipse]
"0xd" -> "0x5"
}
)";

InputResult<std::string> asked(const std::string&, const std::string& output) { return "touch " + output; }

TEST(NinjaBuild, TakesEachCommandWithWhatItDependsOnThroughPhonySteps) {
  const auto work = parse_ninja_build(compdb, graph, "/b", asked);
  ASSERT_TRUE(work) << work.error().text;
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> tasks;
  for (const WorkTask& task : work->tasks) {
    std::vector<std::string> needs;
    for (const std::uint32_t need : task.needs) needs.push_back(work->tasks[need].id);
    std::sort(needs.begin(), needs.end());
    tasks[task.id] = {task.command, needs};
    EXPECT_EQ(task.directory, "/b");
  }
  const std::map<std::string, std::pair<std::string, std::vector<std::string>>> expected{
      {"a.o", {"cc -c \"a b.c\"", {"x.h"}}},
      {"main", {"ld a.o", {"a.o", "stamp"}}},
      {"stamp", {"touch stamp", {}}},
      {"x.h", {"gen", {}}}};
  EXPECT_EQ(tasks, expected);
}

TEST(NinjaBuild, WithoutACommandSaysThatThereIsNothingToBuild) {
  const auto work = parse_ninja_build("[]", "digraph ninja {\n}\n", "/b", asked);
  ASSERT_FALSE(work);
  EXPECT_EQ(work.error().fault, InputFault::no_tasks);
  EXPECT_FALSE(parse_ninja_build("no json", graph, "/b", asked));
}

}  // namespace
}  // namespace symphony::tools
