// The system calls that a pit made, and what each profile would have answered.   Layer: tools. Threads: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <symphony/sandbox.hpp>

#include "pits/hosting/sandbox/answers.hpp"

namespace symphony::tools {

// From the least to the most.
inline constexpr std::array learned_profiles = {SandboxProfile::ring, SandboxProfile::heap, SandboxProfile::threads};

// As strace calls it; "call 1234" where this program does not know the number.
[[nodiscard]] std::string name_of_call(std::uint32_t number);

class SeenCalls {
 public:
  // `own_pid`: as the pit sees itself.
  void add(const pit::sandbox::SystemCall& call, std::uint32_t own_pid);

  struct Row {
    std::uint32_t number = 0;
    std::uint64_t times = 0;
    std::array<bool, learned_profiles.size()> allowed{};  // each time
  };
  // By number.
  [[nodiscard]] std::vector<Row> rows() const;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // The least that answers none of them otherwise than without walls; nothing: none does.
  [[nodiscard]] std::optional<SandboxProfile> least_profile() const;

 private:
  std::map<std::uint32_t, Row> rows_;
  std::uint64_t count_ = 0;
};

}  // namespace symphony::tools
