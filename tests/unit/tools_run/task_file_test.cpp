#include "tools/symphony/run/task_file.hpp"

#include <gtest/gtest.h>

namespace symphony::tools {
namespace {

constexpr std::string_view as_toml = R"(
[pools]
memory = { amount = 8192 }
gpu = { units = ["gpu0", "gpu1"] }

[[task]]
id = "link"
command = "ld"
needs = ["compile"]
wants = { gpu = 2, memory = 1 }
cpu = 2
retries = 3
retry_delay_ms = 7
directory = "d"
environment = { A = "1" }
outputs = ["o"]

[[task]]
id = "compile"
command = "cc"
)";
constexpr std::string_view as_json = R"({"pools": {"memory": {"amount": 8192}, "gpu": {"units": ["gpu0", "gpu1"]}},
  "task": [{"id": "link", "command": "ld", "needs": ["compile"], "wants": {"gpu": 2, "memory": 1}, "cpu": 2, "retries": 3,
            "retry_delay_ms": 7, "directory": "d", "environment": {"A": "1"}, "outputs": ["o"]},
           {"id": "compile", "command": "cc"}]})";

TEST(TaskFile, SaysTheSameAsTomlAndAsJson) {
  for (const std::string_view text : {as_toml, as_json}) {
    const auto work = parse_task_file(text, "file");
    ASSERT_TRUE(work) << work.error().text;
    ASSERT_EQ(work->pools.size(), 2U);
    EXPECT_EQ(work->pools[0].name, "gpu");
    EXPECT_EQ(work->pools[0].capacity(), 2U);
    EXPECT_EQ(work->pools[1].capacity(), 8192U);
    ASSERT_EQ(work->tasks.size(), 2U);
    const WorkTask& task = work->tasks[0];
    EXPECT_EQ(task.id + task.command + task.directory, "linkldd");
    EXPECT_EQ(task.needs, std::vector<std::uint32_t>{1});
    ASSERT_EQ(task.wants.size(), 2U);
    EXPECT_EQ(task.wants[0].amount, 2U);
    EXPECT_EQ(task.cpu, 2U);
    EXPECT_EQ(task.retries, 3U);
    EXPECT_EQ(task.retry_delay_ns, 7 * ms_ns);
    EXPECT_EQ(task.environment, std::vector<std::string>{"A=1"});
    EXPECT_EQ(task.outputs, std::vector<std::string>{"o"});
    EXPECT_EQ(work->tasks[1].cpu, 1U);
  }
}

TEST(TaskFile, CutAtAnyByteIsReadOrRefusedInOneLine) {
  for (const std::string_view text : {as_toml, as_json}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      const auto work = parse_task_file(text.substr(0, size), "file");
      if (work) continue;
      EXPECT_EQ(work.error().text.find('\n'), std::string::npos) << size;
      EXPECT_EQ(work.error().text.rfind("file: ", 0), 0U) << work.error().text;
    }
  }
}

TEST(TaskFile, NestedWithoutEndIsRefused) {
  const std::string deep = "{\"task\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_FALSE(parse_task_file(deep, "file"));
}

TEST(TaskFile, AFingerprintChangesWithWhatIsRunAndWhere) {
  WorkTask task;
  task.command = "ab";
  const std::uint64_t before = fingerprint_of(task);
  EXPECT_EQ(fingerprint_of(task), before);
  task.command = "a";
  task.directory = "b";
  EXPECT_NE(fingerprint_of(task), before) << "parts do not run together";
}

}  // namespace
}  // namespace symphony::tools
