// A whole life of a realm.   Layer: tests. Threads: any, each with a realm of its own.
#pragma once

#include <filesystem>
#include <string>

#include "tests/soak/killer.hpp"

namespace symphony::soak {

inline constexpr std::uint64_t calls_per_kill = 510;  // at least; so 2,000 kills are of more than 10^6 calls

struct Outcome {
  Verdict verdict;
  Kills kills;
  std::uint64_t incarnations = 0;
  std::string trouble;

  void add(const Outcome& other) {
    verdict.add(other.verdict);
    kills.add(other.kills);
    incarnations += other.incarnations;
    trouble += other.trouble;
  }
};

// Load, kills, the end of the load, and the state that is left, looked at twice with a death in between. What `trouble`
// says is wrong.
[[nodiscard]] Outcome live(const std::filesystem::path& folder, std::uint64_t seed, std::uint64_t kills,
                           const Programs& programs = own_programs());

}  // namespace symphony::soak
