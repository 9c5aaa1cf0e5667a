// The driver of the ordinary lane: inputs from a generator, so many that a given number of reads is answered.
// Layer: tests. Threads: one.
#pragma once

#include <cstring>
#include <random>
#include <vector>

#include "tests/proof/hostile/targets.hpp"

namespace symphony::hostile {

inline constexpr std::size_t input_size = 16'384;

// Runs a target until `reads` were answered or something was violated.
inline const char* random_run(std::size_t target, std::uint64_t seed, std::uint64_t reads, Tally& tally) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> input(input_size);
  for (const std::uint64_t enough = tally.reads + reads; tally.reads < enough;) {
    for (std::size_t i = 0; i < input.size(); i += 8) {
      const std::uint64_t word = random();
      std::memcpy(&input[i], &word, sizeof word);
    }
    if (const char* wrong = run_target(target, input, tally)) return wrong;
  }
  return nullptr;
}

}  // namespace symphony::hostile
