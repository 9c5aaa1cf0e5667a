// Whether a process that was killed by SIGKILL was killed by the kernel, for want of memory.   Layer: broker.
// The kernel counts such kills for each control group: `oom_kill` of memory.events (version 2) or memory.oom_control
// (version 1). A broker reads the count of its own group, which is its pits' unless somebody moved them; the count of
// the whole machine would be anybody's. A death by SIGKILL with one more of them is put down to it, so another process
// of the group that the kernel killed is taken for the pit that dies next by SIGKILL. Without such a group (the root's
// has none) it is not known.   Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace symphony::detail::broker {

class OomKills {
 public:
  // `root`: where proc and sys are; for tests.
  explicit OomKills(const std::string& root = "");
  // A process has just died by SIGKILL. Each kill that the kernel counted answers true once.
  [[nodiscard]] bool one_more();
  // Where it counts; empty: nowhere.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  [[nodiscard]] std::optional<std::uint64_t> count() const;

  std::string path_;
  std::uint64_t seen_ = 0;
};

}  // namespace symphony::detail::broker
