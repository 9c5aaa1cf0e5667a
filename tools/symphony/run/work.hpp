// What a run has to do: commands, what each waits for, and what each needs of which pool.   Layer: tools.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <symphony/clock.hpp>

namespace symphony::tools {

struct WorkWant {
  std::uint32_t pool = 0;  // of Work::pools
  std::uint64_t amount = 0;
};

// When a task may start, by how those that it needs ended; TriggerRule of schemas/dag_tracker.fbs.
enum class When : std::uint8_t { all_success = 0, all_done = 1, one_success = 2, none_failed = 3 };

struct WorkTask {
  std::string id;                    // unique, 1 to 255 bytes, one line
  std::string command;               // for /bin/sh -c
  std::string directory;             // empty: that of the runner
  std::vector<std::uint32_t> needs;  // tasks that must have succeeded, or as `when` says
  When when = When::all_success;
  std::vector<WorkWant> wants;  // besides cpu; a pool at most once
  std::uint32_t cpu = 1;
  std::uint32_t retries = 0;
  TimeNs retry_delay_ns = 100 * ms_ns;   // before the first retry; twice as long before each further one
  std::vector<std::string> environment;  // NAME=value, added to the runner's
  std::vector<std::string> outputs;      // files whose folders are made before the command starts
};

struct WorkPool {
  std::string name;
  std::uint64_t amount = 0;  // where there are no units
  std::vector<std::string> units{};
  [[nodiscard]] std::uint64_t capacity() const noexcept { return units.empty() ? amount : units.size(); }
};

struct Work {
  static constexpr std::size_t tasks_max = 1'000'000;
  static constexpr std::size_t pools_max = 15;  // besides cpu: what one lease can be of
  static constexpr std::size_t id_size_max = 255;

  std::vector<WorkPool> pools;
  std::vector<WorkTask> tasks;
};

// Tells whether a task is still the same: its command, where it runs and with what environment.
[[nodiscard]] inline std::uint64_t fingerprint_of(const WorkTask& task) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xFF) * 0x100000001b3;  // no byte of UTF-8: parts do not run together
  };
  add(task.command);
  add(task.directory);
  for (const std::string& one : task.environment) add(one);
  return hash;
}

}  // namespace symphony::tools
