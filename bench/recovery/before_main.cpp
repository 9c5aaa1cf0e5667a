// Loaded into the pit's host with LD_PRELOAD: says when the linker is done and main is next.
#include <time.h>

#include <cstdio>
#include <cstdlib>

#include "bench/recovery/moments.hpp"

namespace {

using namespace symphony::bench::recovery;

[[gnu::constructor]] void before_main() {
  const std::int64_t now = clock_ns();
  Row* const row = own_row();
  if (row == nullptr) return;
  row->main_ns = now;
  // The time on a processor and the time of waiting for one, since the fork: a process that starts does nothing else.
  // The first is asked of its clock: the file has it as of the last tick, up to 4 ms ago.
  timespec ran{};
  unsigned long long ran_until_tick_ns = 0, waited_ns = 0;
  if (std::FILE* const file = std::fopen("/proc/self/schedstat", "re")) {
    if (std::fscanf(file, "%llu %llu", &ran_until_tick_ns, &waited_ns) == 2 &&
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ran) == 0) {
      const std::int64_t ran_ns = ran.tv_sec * std::int64_t{1'000'000'000} + ran.tv_nsec;
      row->forked_ns = clock_ns() - ran_ns - static_cast<std::int64_t>(waited_ns);
    }
    std::fclose(file);
  }
}

}  // namespace
