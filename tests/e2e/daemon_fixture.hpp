// A daemon of its own for each test, as real processes: keeper, broker, and the pits greeter and probe.
#pragma once

#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {

// Processes whose parent is `parent`.
inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string line;
    if (!std::getline(stat, line)) continue;
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    char state = 0;
    pid_t ppid = 0;
    fields >> state >> ppid;
    if (ppid == parent && state != 'Z') found.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

struct DaemonTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/broker.sock";
    keeper = start_bus_program(mode(), path);
    ASSERT_GT(keeper, 0);
    auto found = Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns});
    ASSERT_TRUE(found) << found.error().text;
    endpoint.emplace(*std::move(found));
  }
  void TearDown() override {
    endpoint.reset();
    if (keeper > 0) stop();
    std::filesystem::remove_all(folder);
  }
  [[nodiscard]] virtual const char* mode() const { return "daemon"; }  // of bus_program
  int stop() {
    ::kill(keeper, SIGTERM);
    int result = -1;
    EXPECT_EQ(::waitpid(keeper, &result, 0), keeper);
    keeper = -1;
    return result;
  }
  std::uint64_t generation() {
    const auto state = endpoint->status();
    return state ? state->generation : 0;
  }
  // The child of the keeper that is no pit.
  pid_t broker_pid() {
    const auto state = endpoint->status();
    if (!state) return 0;
    for (const pid_t child : children_of(keeper)) {
      bool is_pit = false;
      for (const PitInfo& pit : state->pits) is_pit = is_pit || pit.pid == child;
      if (!is_pit) return child;
    }
    return 0;
  }

  std::string folder, path;
  pid_t keeper = -1;
  std::optional<Endpoint> endpoint;
};

}  // namespace symphony
