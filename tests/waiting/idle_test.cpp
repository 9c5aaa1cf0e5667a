// What a link costs while nothing happens on it, with broker, keeper, caller and pit as they are.
#include <time.h>

#include <fstream>

#include "bench/support/figure.hpp"
#include "bus/wait/futex.hpp"
#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

TimeNs cpu_of(pid_t pid) {
  clockid_t clock{};
  EXPECT_EQ(::clock_getcpuclockid(pid, &clock), 0);
  timespec t{};
  EXPECT_EQ(::clock_gettime(clock, &t), 0);
  return t.tv_sec * second_ns + t.tv_nsec;
}

// Resident bytes of this process, shared ones included.
std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  file >> all >> resident;
  return resident * 4096;
}

void write(const char* name, double value, const char* unit, std::uint64_t n, const std::string& note) {
  bench::Figure figure;
  figure.name = name;
  figure.value = value;
  figure.unit = unit;
  figure.n = n;
  figure.note = note;
  EXPECT_TRUE(bench::write_figure(figure));
  std::printf("%s %.1f %s (%s)\n", name, value, unit, note.c_str());
}

TEST_F(BusTest, AnIdleLinkTakesNoProcessorTime) {
  constexpr TimeNs idle_ns = 2 * second_ns;
  Link link = open("greeter");
  ASSERT_TRUE(greet(link, "x"));
  const pid_t pit = broker->pit_pid("greeter").value();
  const std::array<pid_t, 3> all{::getpid(), pit, broker->keeper_pid()};
  std::array<TimeNs, 3> used{};
  for (std::size_t i = 0; i < all.size(); ++i) used[i] = cpu_of(all[i]);
  const TimeNs start = now_ns();
  std::uint32_t word = 0;
  const detail::WaitWord nobody_rings{&word, 0};
  while (now_ns() < start + idle_ns) (void)detail::wait_any({&nobody_rings, 1}, start + idle_ns);
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  std::string note = "us a second over " + std::to_string(seconds) + " s: program and broker, pit, keeper";
  double sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double us = static_cast<double>(cpu_of(all[i]) - used[i]) / 1e3 / seconds;
    note += " " + std::to_string(us);
    sum += us;
  }
  write("link.idle_cpu_us_per_s", sum, "us/s", 1, note);
  EXPECT_LE(sum, 1000) << "0.1 % of one processor, over all three";
}

TEST_F(BusTest, OpeningALinkAndItsMemoryAreMeasured) {
  constexpr std::size_t count = 64;
  std::vector<Link> links;
  links.push_back(open("greeter"));
  std::vector<double> times;
  const std::uint64_t before = resident_bytes();
  for (std::size_t i = 0; i < count; ++i) {
    const TimeNs start = now_ns();
    links.push_back(open("greeter"));
    times.push_back(static_cast<double>(now_ns() - start) / 1e3);
  }
  const double bytes = static_cast<double>(resident_bytes() - before) / count;
  for (Link& link : links) ASSERT_TRUE(greet(link, "x"));
  std::nth_element(times.begin(), times.begin() + count / 2, times.end());
  write("link.open_us", times[count / 2], "us", count, "median; default rings, pit running, broker in the program");
  write("link.bytes", bytes, "bytes", count,
        "resident in the caller, both segments of a default link and what it keeps");
}

}  // namespace
}  // namespace symphony
