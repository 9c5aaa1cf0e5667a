// Counts of a crash proof as figures; how far its lanes go.   Layer: tests. Threads: any.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include <symphony/clock.hpp>

#include "bench/support/figure.hpp"

namespace symphony::proof {

// SYMPHONY_LONG in the environment: the long lane.
[[nodiscard]] inline bool long_lane() { return std::getenv("SYMPHONY_LONG") != nullptr; }

inline void write_count(const std::string& name, std::uint64_t value, std::optional<std::uint64_t> of, std::uint64_t n,
                        TimeNs start_ns, const std::string& text, std::optional<std::uint64_t> seed = {}) {
  bench::Figure figure;
  figure.name = name;
  figure.value = static_cast<double>(value);
  if (of) figure.of = static_cast<double>(*of);
  figure.unit = "count";
  figure.n = n;
  figure.seed = seed;
  figure.seconds = static_cast<double>(now_ns() - start_ns) * 1e-9;
  figure.note = text;
  EXPECT_TRUE(bench::write_figure(figure).has_value()) << name;
}

}  // namespace symphony::proof
