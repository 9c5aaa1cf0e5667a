// What rules answer to one system call, without a kernel: for whoever asks which profile a pit could have had.
// Layer: hosting/sandbox (base). Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "pits/hosting/sandbox/bpf.hpp"

namespace symphony::pit::sandbox {

struct SystemCall {
  std::uint32_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

// As the filter that compile() makes of these rules answers it, on this architecture; a test compares the two.
[[nodiscard]] Verdict answer_to(const std::vector<Rule>& rules, Verdict otherwise, const SystemCall& call) noexcept;

}  // namespace symphony::pit::sandbox
