// The JSON form: what is accepted, and one named error for each way to get it wrong.
#include "tools/symphony/graph/json_graph.hpp"

#include "tests/unit/tools_graph/graph_support.hpp"

namespace symphony::tools {
namespace {

using testing::named_edges;
using testing::NamedEdges;

InputError error_of(std::string_view text) {
  const auto graph = parse_graph(text, "g");
  EXPECT_FALSE(graph) << text;
  if (graph) return {};
  testing::expect_one_line(graph.error());
  EXPECT_EQ(graph.error().exit_status(), 2);
  return graph.error();
}

TEST(JsonGraph, EdgesAreBeforeThenAfter) {
  const auto graph = parse_graph(R"({"tasks": ["compile", "link"], "edges": [["compile", "link"]]})", "g");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->names, (std::vector<std::string>{"compile", "link"}));
  EXPECT_EQ(named_edges(*graph), (NamedEdges{{"compile", "link"}}));
  EXPECT_EQ(graph->notes.format, GraphFormat::json);
}

TEST(JsonGraph, KeysMayStandInEitherOrder) {
  const auto graph = parse_graph(R"({"edges": [["b", "a"], ["c", "b"]], "tasks": ["a", "b", "c"]})", "g");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(named_edges(*graph), (NamedEdges{{"b", "a"}, {"c", "b"}}));
}

TEST(JsonGraph, RepeatedEdgesAreMergedAndCounted) {
  const auto graph = parse_graph(R"({"tasks": ["a", "b"], "edges": [["a", "b"], ["a", "b"], ["a", "b"]]})", "g");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->edges.size(), 1U);
  EXPECT_EQ(graph->notes.repeated_edges, 2U);
}

TEST(JsonGraph, NamesMayHoldEscapesAndAnyCharacter) {
  const auto graph =
      parse_graph("\xEF\xBB\xBF{\"tasks\": [\"gr\\u00f6\\u00dfe\", \"a \\\"b\\\"\"], \"edges\": []}", "g");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->names, (std::vector<std::string>{"größe", "a \"b\""}));
}

TEST(JsonGraph, EdgeToAnUnknownTaskNamesBothEndsAndTheUnknownOne) {
  for (const char* edge : {R"(["known", "other"])", R"(["other", "known"])"}) {
    const InputError error = error_of(std::string(R"({"tasks": ["known"], "edges": [)") + edge + "]}");
    EXPECT_EQ(error.fault, InputFault::unknown_task);
    EXPECT_NE(error.text.find("\"known\""), std::string::npos) << error.text;
    EXPECT_NE(error.text.find("unknown task \"other\""), std::string::npos) << error.text;
  }
}

TEST(JsonGraph, TaskNamedTwiceIsAnError) {
  const InputError error = error_of(R"({"tasks": ["a", "b", "a"], "edges": []})");
  EXPECT_EQ(error.fault, InputFault::duplicate_task);
  EXPECT_NE(error.text.find("\"a\""), std::string::npos);
}

TEST(JsonGraph, ListWithoutTasksIsAnError) {
  EXPECT_EQ(error_of(R"({"tasks": [], "edges": []})").fault, InputFault::no_tasks);
}

TEST(JsonGraph, EveryOtherShapeIsMalformedAndSaysWhere) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"([["a", "b"]])", "is a list instead of an object"},
      {R"({})", "has no \"tasks\""},
      {R"({"tasks": ["a"]})", "has no \"edges\""},
      {R"({"edges": []})", "has no \"tasks\""},
      {R"({"tasks": ["a"], "edge": []})", "unknown key \"edge\""},
      {R"({"tasks": ["a"], "tasks": ["b"], "edges": []})", "\"tasks\" twice"},
      {R"({"tasks": "a", "edges": []})", "\"tasks\" is a string"},
      {R"({"tasks": {"a": 1}, "edges": []})", "\"tasks\" is an object"},
      {R"({"tasks": ["a", 7], "edges": []})", "tasks[1] is a number"},
      {R"({"tasks": ["a", -7], "edges": []})", "tasks[1] is a number"},
      {R"({"tasks": ["a", 7.5], "edges": []})", "tasks[1] is a number"},
      {R"({"tasks": [null], "edges": []})", "tasks[0] is null"},
      {R"({"tasks": [["a"]], "edges": []})", "tasks[0] is a list"},
      {R"({"tasks": [""], "edges": []})", "tasks[0] is an empty name"},
      {R"({"tasks": ["a"], "edges": true})", "\"edges\" is a boolean"},
      {R"({"tasks": ["a"], "edges": ["a"]})", "edges[0] is a string"},
      {R"({"tasks": ["a"], "edges": [["a", 1]]})", "edges[0] holds a number"},
      {R"({"tasks": ["a"], "edges": [["a", ["a"]]]})", "edges[0] holds a list"},
      {R"({"tasks": ["a"], "edges": [["a"]]})", "edges[0] has 1 names"},
      {R"({"tasks": ["a"], "edges": [["a", "a", "a"]]})", "edges[0] has 3 names"},
      {R"({"tasks": ["a"] "edges": []})", "not JSON near byte 22 (line 1)"},
      {"{\"tasks\": [\"a\"],\n\"edges\": []}\nmore", "not JSON near byte 30 (line 3)"},
      {R"({"tasks": ["\ud800"], "edges": []})", "not JSON near byte"},
  };
  for (const auto& [text, part] : cases) {
    const InputError error = error_of(text);
    EXPECT_EQ(error.fault, InputFault::malformed) << text;
    EXPECT_NE(error.text.find(part), std::string::npos) << text << "\n" << error.text;
  }
}

TEST(JsonGraph, DeepNestingEndsAtTheFirstListOutOfPlace) {
  EXPECT_EQ(error_of(std::string(1'000'000, '[')).fault, InputFault::malformed);
  EXPECT_EQ(error_of(R"({"tasks": )" + std::string(1'000'000, '[')).fault, InputFault::malformed);
}

TEST(JsonGraph, FileThatEndsInsideAValueIsTruncatedWhereverItIsCut) {
  const std::string whole = R"({"tasks": ["a \u00e4", "b"], "edges": [["b", "a \u00e4"]]})";
  ASSERT_TRUE(parse_graph(whole, "g"));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(error_of(whole.substr(0, size)).fault, InputFault::truncated) << whole.substr(0, size);
  }
}

}  // namespace
}  // namespace symphony::tools
