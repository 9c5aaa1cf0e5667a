// When the processes of a pit came how far: a page that they write and the benchmark reads.   Layer: bench.
// One instance of the pit writes one row; the reader looks when a reply of that instance has come.
#pragma once

#include <atomic>
#include <cstdint>

namespace symphony::bench::recovery {

inline constexpr const char* moments_variable = "SYMPHONY_BENCH_MOMENTS";  // the page's file, in the pit's environment
inline constexpr std::uint32_t rows_max = 4096;

struct Row {
  std::atomic<std::int64_t> forked_ns;  // as /proc/self/schedstat tells it: when it first could have run
  std::atomic<std::int64_t> main_ns;    // the program's main is next: executed, linked, relocated
  std::atomic<std::int64_t> loaded_ns;  // the pit's file is loaded
  std::atomic<std::int64_t> made_ns;    // the pit is made; its runtime says READY next
};
struct Moments {
  Row rows[rows_max];  // by instance
};

// This process's row, or null. Threads: one.
Row* own_row() noexcept;
std::int64_t clock_ns() noexcept;

}  // namespace symphony::bench::recovery
