// Work in a child process: its finding, or how it ended without one.   Layer: tools/pit_check. Threads: one; it forks.
#pragma once

#include <functional>
#include <string>

#include <symphony/clock.hpp>

#include "tools/pit_check/check.hpp"

namespace symphony::pit_check {

struct Finding {
  Verdict verdict = Verdict::failed;
  std::string text{};
  std::string output{};  // the last of what was written to stdout and stderr, where the verdict is failed
};

// A child that dies, or is still there at its limit and is killed, has failed; the text says how.
[[nodiscard]] Finding run_in_child(const std::function<Finding()>& work, TimeNs limit_ns);

}  // namespace symphony::pit_check
