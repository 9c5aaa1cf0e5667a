// A caller of the soak: calls the annals until it is told to stop, or killed, and writes down each call before it makes
// it and after it ended.   Layer: tests. Threads: one a process.
#pragma once

#include <string>

#include "tests/soak/pages.hpp"

namespace symphony::soak {

// What a caller of this seed does; the same in every run.
struct Habits {
  explicit Habits(std::uint32_t seed) noexcept;
  std::uint32_t window = 1;             // calls under way at once
  std::uint32_t ring_capacity = 65536;  // bytes, each way
  bool sleeps_at_once = false;
};

// The exit status: 0 when it was told to stop and all its calls have ended; else page.trouble says why.
int run_caller(const std::string& socket, CallerPage& page);

}  // namespace symphony::soak
