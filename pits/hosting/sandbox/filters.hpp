// Which system calls a confined pit may make.   Layer: hosting/sandbox (base). Threads: pure functions.
//
// Two filters. `start_rules` hold from before the pit's file is loaded: what the system's loader, the pit's create() to
// start() and the runtime need. `serving_rules` come on top when it serves, by profile. A call that neither list names
// is refused with ENOSYS; what no pit ever needs and kernels were broken through kills (docs/security.md has the
// lists).
#pragma once

#include <symphony/sandbox.hpp>

#include "pits/hosting/sandbox/bpf.hpp"

namespace symphony::pit::sandbox {

struct FilterOptions {
  std::uint32_t control_fd = 3;  // where a pit that may not have threads sends and receives
  std::uint32_t own_pid = 1;     // as it sees itself: whom it may signal
};

[[nodiscard]] std::vector<Rule> start_rules(const FilterOptions& options);
// Precondition: profile is not none.
[[nodiscard]] std::vector<Rule> serving_rules(SandboxProfile profile, const FilterOptions& options);

inline constexpr Verdict unlisted = Verdict::refuse;

}  // namespace symphony::pit::sandbox
