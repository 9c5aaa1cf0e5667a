// bench_recovery: what the death of a pit and of a broker costs those who live on.   Layer: bench.
//
// A daemon as `symphony broker run` makes it, with one process pit, in a folder of its own. Three parts: from SIGKILL
// of the pit to the first reply of the next one, split; from SIGKILL to the caller's flag, over a bare pidfd and epoll;
// and the p99 of calls while the broker is killed, over that while it is not. Exit status: 0 measured, 1 could not
// measure, 2 wrong arguments.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/recovery/parts.hpp"
#include "bench/recovery/party.hpp"
#include "bench/support/figure.hpp"

namespace symphony::bench::recovery {

double quantile(std::vector<double>& values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1) + 0.5)];
}

void write(const std::string& name, double value, const char* unit, std::size_t n, TimeNs begun,
           const std::string& note) {
  Figure figure;
  figure.name = name;
  figure.value = value;
  figure.unit = unit;
  figure.n = n;
  figure.seconds = static_cast<double>(now_ns() - begun) * 1e-9;
  figure.note = note;
  if (const auto written = write_figure(figure); !written) give_up(name.c_str(), written.error().text);
}

namespace {

struct Options {
  std::size_t kills = 200, deaths = 60, pairs = 60;
};

constexpr const char* usage =
    "usage: bench_recovery [--kills 0..4000] [--deaths 0..99999] [--pairs 0..99999]\n"
    "  --kills   of a pit, from SIGKILL to its first reply (200); 0 leaves a part out\n"
    "  --deaths  a size of memory, from SIGKILL to the caller's flag (60)\n"
    "  --pairs   of slices with and without a kill of the broker (60)\n"
    "Writes the figures bus.recovery_*, bus.death_notice_* and bus.broker_kill_p99_ratio.\n";

bool read_options(int argc, char** argv, Options& out) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    std::size_t* const value = name == "--kills"    ? &out.kills
                               : name == "--deaths" ? &out.deaths
                               : name == "--pairs"  ? &out.pairs
                                                    : nullptr;
    if (value == nullptr || i + 1 == argc) return false;
    const std::string_view text = argv[i + 1];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    if (error != std::errc{} || end != text.data() + text.size() || *value > 99'999) return false;
  }
  return out.kills <= 4000;
}

int run(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "daemon" && argc == 6) return be_daemon(argv[2], argv[3], argv[4], std::string_view(argv[5]) == "state");
  if (mode == "holder" && argc == 4) {
    if (be_holder(static_cast<unsigned>(std::atoi(argv[2]))) != 0) return 1;
    if (::write(std::atoi(argv[3]), "x", 1) != 1) return 1;
    for (;;) ::pause();
  }
  if (mode == "--help" || mode == "-h") return std::fputs(usage, stdout) < 0 ? 1 : 0;
  Options options;
  if (!read_options(argc, argv, options)) return std::fputs(usage, stderr), 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (options.kills != 0) measure_restart(options.kills);
  if (options.deaths != 0) measure_notice(options.deaths);
  if (options.pairs != 0) measure_broker_kill(options.pairs);
  return 0;
}

}  // namespace
}  // namespace symphony::bench::recovery

int main(int argc, char** argv) { return symphony::bench::recovery::run(argc, argv); }
