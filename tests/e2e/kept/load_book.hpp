// What a program that is killed says of its calls, in memory that outlives it.   Layer: tests.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "tests/e2e/kept/tally.hpp"

namespace symphony::kept {

struct LoadBook {
  struct Line {                              // of one calling thread
    std::atomic<std::uint64_t> asked{0};     // the last number that it told the pit
    std::atomic<std::uint64_t> answered{0};  // the last of which it has the reply
    std::atomic<std::uint64_t> found{0};     // what the state had of it when the program began
  };
  std::array<Line, 3> lines;
  std::atomic<std::uint64_t> wrong{0};
  // 1: `found` and `wrong` are told; 2: they were looked at, and the calls may begin.
  std::atomic<std::uint32_t> stage{0};
};

}  // namespace symphony::kept
