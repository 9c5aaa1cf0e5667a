// Where a random test starts and how far it goes.   Layer: tests.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace symphony::test_run {

// SYMPHONY_SEED=n in the environment replays a run; without it each run takes a new one. Printed either way.
inline std::uint64_t seed() {
  static const std::uint64_t chosen_seed = [] {
    const char* given = std::getenv("SYMPHONY_SEED");
    const std::uint64_t chosen = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("SYMPHONY_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    return chosen;
  }();
  return chosen_seed;
}

// `all`, or the share of it that SYMPHONY_SAMPLES (percent) leaves: sanitizers look at the same code more slowly, and
// another path is found by other code, not by the thousandth random run. Never less than 1.
inline std::uint64_t samples(std::uint64_t all) {
  static const std::uint64_t percent = [] {
    const char* given = std::getenv("SYMPHONY_SAMPLES");
    return given != nullptr ? std::clamp<std::uint64_t>(std::strtoull(given, nullptr, 10), 1, 100) : 100;
  }();
  return std::max<std::uint64_t>(1, all * percent / 100);
}

// 1, or how far apart are the places that SYMPHONY_SAMPLES leaves of a domain that is tried completely; odd, so that
// each bit of a byte has its turn.
inline std::uint64_t every() { return (100 / samples(100)) | 1U; }

// An operation of a random run is what these bytes select: any bytes are one, so a shorter or smaller sequence is one
// too.
using Op = std::array<std::uint8_t, 8>;

inline std::vector<Op> operations(std::uint64_t of_seed) {
  std::mt19937_64 rng(of_seed);
  std::vector<Op> ops(20 + rng() % 100);
  for (Op& op : ops) {
    for (std::uint8_t& byte : op) byte = static_cast<std::uint8_t>(rng());
  }
  return ops;
}

}  // namespace symphony::test_run
