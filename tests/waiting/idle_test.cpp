// What a link costs while nothing happens on it, with broker, keeper, caller and pit as they are.
#include <fstream>

#include "bench/support/figure.hpp"
#include "tests/e2e/bus_fixture.hpp"
#include "tests/waiting/quiet_time.hpp"

namespace symphony {
namespace {

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
  Link link = open("greeter");
  ASSERT_TRUE(greet(link, "x"));
  const pid_t pit = broker->pit_pid("greeter").value();
  detail::let_pass(50 * ms_ns);  // what the opening left to do
  const std::array<pid_t, 3> all{::getpid(), pit, broker->keeper_pid()};
  const detail::QuietTime quiet = detail::quietest_second(all);
  std::string note = "program and broker, pit, keeper:";
  for (const double us : quiet.us_per_s) note += " " + std::to_string(us);
  note += "; the quietest of " + std::to_string(quiet.seconds) + " s";
  write("link.idle_cpu_us_per_s", quiet.sum, "us/s", static_cast<std::uint64_t>(quiet.seconds), note);
#if !defined(SYMPHONY_CHECKED)  // what sanitizers and checks add is nobody's promise
  EXPECT_LE(quiet.sum, detail::idle_limit_us_per_s) << "over all three";
#endif
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
