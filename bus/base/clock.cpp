#include <time.h>

#include <symphony/clock.hpp>

namespace symphony {
namespace {
TimeNs read_clock(clockid_t clock) noexcept {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<TimeNs>(t.tv_sec) * second_ns + t.tv_nsec;
}
}  // namespace

TimeNs now_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

TimeNs coarse_now_ns() noexcept { return read_clock(CLOCK_MONOTONIC_COARSE); }

TimeNs deadline_after(TimeNs timeout_ns) noexcept {
  const TimeNs now = now_ns();
  return timeout_ns > no_deadline_ns - now ? no_deadline_ns : now + timeout_ns;
}

}  // namespace symphony
