// Processes by what /proc and pidfds say of them.   Layer: tests. Threads: any.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::soak {

// A child of this process, which is reaped by wait().
struct Child {
  pid_t pid = 0;
  UniqueFd pidfd;

  [[nodiscard]] bool wait(TimeNs timeout_ns, int& status);  // false: it lives on
};
// argv[0] is the program; its standard error goes to `errors`, its output nowhere.
[[nodiscard]] Child spawn(const std::vector<std::string>& words, const std::string& errors);

// A process that is nobody's child here, held so that its number cannot become another's.
struct Held {
  pid_t pid = 0;
  UniqueFd pidfd;

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(pidfd); }
  void signal(int number) const noexcept;
  [[nodiscard]] bool dies_within(TimeNs timeout_ns) const noexcept;
};
// The child of `parent` whose name is that; empty when there is none now.
[[nodiscard]] Held child_of(pid_t parent, const char* name);

// A short pause of this thread, as part of a plan of faults.
void pause_us(std::uint32_t us) noexcept;

}  // namespace symphony::soak
