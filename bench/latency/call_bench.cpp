// bench_call: what a whole call over a default link costs above the raw cache line.   Layer: bench.
//
// Nothing is left out: an embedded broker starts this program again as the pit (`--pit`), the caller opens a link and
// makes calls with deadlines; the pit answers with the same bytes. The raw line (raw_line.hpp) carries the same user
// bytes between the same two processes: a request of its own type makes the pit play its other side for one turn.
// Turns of 64 alternate; a ratio is that of medians over the turns of one pair of processes; printed are its median and
// its 5th and 95th percentile over fresh pairs.
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments, 3 the limit against itself says: inconclusive.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/clock.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/service.hpp>

#include "bench/support/figure.hpp"
#include "bench/support/pinning.hpp"
#include "bench/support/raw_line.hpp"
#include "bench/support/yardstick.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::bench {
namespace {

constexpr std::size_t turn_size = 64;
constexpr std::uint32_t raw_bytes = 64 * 1024;              // one side of one raw line
constexpr std::uint32_t type_echo = 1, type_raw_first = 2;  // 2 + i: one turn of the raw line of size i
constexpr std::array<std::size_t, 4> sizes{32, 64, 1024, 4096};

// The raw lines of all sizes, as one of the two processes sees them: side 0 writes the first half of the memory.
class RawLines {
 public:
  static result<RawLines> map(int fd, int side) {
    auto memory = detail::Mapping::map(fd, 2 * sizes.size() * raw_bytes, detail::Access::read_write);
    if (!memory) return unexpected(memory.error());
    return RawLines(*std::move(memory), side);
  }
  // Calls f with the line of sizes[index] and the next message number.
  template <class F>
  auto with(std::size_t index, F&& f) {
    switch (index) {
      case 0:
        return f(line32_, ++numbers_[0]);
      case 1:
        return f(line64_, ++numbers_[1]);
      case 2:
        return f(line1k_, ++numbers_[2]);
      default:
        return f(line4k_, ++numbers_[3]);
    }
  }

 private:
  RawLines(detail::Mapping memory, int side)
      : memory_(std::move(memory)),
        line32_(at(0, side), at(0, 1 - side), raw_bytes),
        line64_(at(1, side), at(1, 1 - side), raw_bytes),
        line1k_(at(2, side), at(2, 1 - side), raw_bytes),
        line4k_(at(3, side), at(3, 1 - side), raw_bytes) {}
  [[nodiscard]] std::byte* at(std::size_t index, int side) const noexcept {
    return memory_.data() + (2 * index + static_cast<std::size_t>(side)) * raw_bytes;
  }

  detail::Mapping memory_;
  RawLine<32> line32_;
  RawLine<64> line64_;
  RawLine<1024 - 8> line1k_;
  RawLine<4096 - 8> line4k_;
  std::array<std::uint64_t, sizes.size()> numbers_{};
};

bool yield_and_go_on() { return ::sched_yield() != 0; }

// ---- the pit's side

class Echo final : public RequestHandler {
 public:
  explicit Echo(RawLines lines) : lines_(std::move(lines)) {}
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    const std::uint32_t type = request.envelope.type;
    for (std::size_t i = 0; type >= type_raw_first && i <= turn_size; ++i) {
      (void)lines_.with(type - type_raw_first,
                        [](auto& line, std::uint64_t number) { return line.answer(number, yield_and_go_on); });
    }
    const auto out = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    if (out.size() != request.body.size()) return reply.fail(status::too_large, "larger than reply_size_max");
    if (!out.empty()) std::memcpy(out.data(), request.body.data(), out.size());
    reply.commit(static_cast<std::uint32_t>(out.size()), type_echo);
  }

 private:
  RawLines lines_;
};

int be_pit(const char* memory, const char* cpu) {
  const Pinned pinned(std::atoi(cpu) >= 0 ? std::optional(std::atoi(cpu)) : std::nullopt);
  const char* control = std::getenv("SYMPHONY_CONTROL_FD");
  const UniqueFd fd(::open(memory, O_RDWR | O_CLOEXEC));
  if (control == nullptr || !fd) return 1;
  auto lines = RawLines::map(fd.get(), 1);
  if (!lines) return 1;
  auto service = Service::adopt(UniqueFd(std::atoi(control)), {.name = "echo", .version = "1.0.0"});
  if (!service) return 1;
  Echo echo(*std::move(lines));
  service->run(echo);
  return 0;
}

// ---- the caller's side

struct Options {
  std::size_t pairs = 15;
  std::size_t rounds = 200;
  Trust trust = Trust::cooperative;
  Waiting waiting = Waiting::adaptive;
  bool json = false;
};

enum Kind : std::size_t { raw, raw_again, called, kind_count };
// Nanoseconds a round trip: medians over the turns of one pair.
using Medians = std::array<std::array<double, kind_count>, sizes.size()>;

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool call_turn(Link& link, std::span<std::uint64_t> body, std::uint64_t& serial, double& ns) {
  const TimeNs start = now_ns();
  for (std::size_t i = 0; i < turn_size; ++i) {
    body.front() = ++serial;  // user data written and read; all of it is copied by the link on both sides
    body.back() = serial;
    const Reply reply = link.call(type_echo, std::as_bytes(body));
    if (!reply.ok() || reply.body.size() != body.size_bytes()) return false;
    std::uint64_t first = 0, last = 0;
    std::memcpy(&first, reply.body.data(), sizeof first);
    std::memcpy(&last, reply.body.data() + reply.body.size() - sizeof last, sizeof last);
    if (first != serial || last != serial) return false;
  }
  ns = static_cast<double>(now_ns() - start) / turn_size;
  return true;
}

bool raw_turn(Link& link, RawLines& lines, std::size_t index, double& ns) {
  const auto id = link.try_start(type_raw_first + static_cast<std::uint32_t>(index), {});
  if (!id) return false;
  const auto step = [](auto& line, std::uint64_t number) { return line.round_trip(number, yield_and_go_on); };
  if (!lines.with(index, step)) return false;  // waits until the handler has begun
  const TimeNs start = now_ns();
  for (std::size_t i = 0; i < turn_size; ++i) {
    if (!lines.with(index, step)) return false;
  }
  ns = static_cast<double>(now_ns() - start) / turn_size;
  return link.wait(*id).ok();
}

result<Medians> run_pair(const Options& options, const std::string& program) {
  const UniqueFd memory(::memfd_create("bench_call", MFD_CLOEXEC));
  const std::uint64_t size = 2 * sizes.size() * raw_bytes;
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(size)) != 0) {
    return unexpected(errc::out_of_memory, "no memory for the raw lines", errno);
  }
  auto lines = RawLines::map(memory.get(), 0);
  if (!lines) return unexpected(lines.error());
  const auto cpus = two_cpus();
  PitConfig echo;
  echo.name = "echo";
  echo.executable = program;
  echo.trust = options.trust;
  echo.args = {"--pit", "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memory.get()),
               std::to_string(cpus ? cpus->helper : -1)};
  auto broker = EmbeddedBroker::start({.pits = {echo}, .keeper_executable = {}, .seed = 0});
  if (!broker) return unexpected(broker.error());
  auto socket = broker->connect();
  if (!socket) return unexpected(socket.error());
  auto endpoint = Endpoint::adopt(*std::move(socket));
  if (!endpoint) return unexpected(endpoint.error());
  LinkOptions of_link;
  of_link.waiting = options.waiting;
  auto link = endpoint->open("echo", of_link);
  if (!link) return unexpected(link.error());
  const Pinned pinned(cpus ? std::optional(cpus->caller) : std::nullopt);

  Medians medians{};
  std::uint64_t serial = 0;
  for (std::size_t index = 0; index < sizes.size(); ++index) {
    std::array<std::vector<double>, kind_count> times;
    std::vector<std::uint64_t> body(sizes[index] / sizeof(std::uint64_t));
    for (std::size_t round = 0; round <= options.rounds; ++round) {
      for (std::size_t k = 0; k < kind_count; ++k) {
        const std::size_t kind = (k + round) % kind_count;  // each follows each other one
        double ns = 0;
        const bool done = kind == called ? call_turn(*link, body, serial, ns) : raw_turn(*link, *lines, index, ns);
        if (!done) return unexpected(errc::internal, "a call or a raw round trip failed");
        if (round != 0) times[kind].push_back(ns);  // the first one warms up
      }
    }
    for (std::size_t kind = 0; kind < kind_count; ++kind) medians[index][kind] = median(times[kind]);
  }
  return medians;
}

struct Spread {
  double p5, p50, p95;
};

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0.05), at(0.5), at(0.95)};
}

int run(const Options& options) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<Medians> pairs;
  const TimeNs start = now_ns();
  for (std::size_t pair = 0; pair < options.pairs; ++pair) {
    const auto medians = run_pair(options, program);
    if (!medians) {
      std::fprintf(stderr, "bench_call: %s\n", medians.error().text);
      return 1;
    }
    pairs.push_back(*medians);
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  const auto column = [&](auto&& of) {
    std::vector<double> values;
    for (const Medians& m : pairs) values.push_back(of(m));
    return spread_of(std::move(values));
  };
  const SelfCheck check{column([](const Medians& m) { return m[0][raw_again] / m[0][raw]; }).p50, pairs.size()};
  const char* verdict = check.conclusive() ? "conclusive" : "inconclusive";
  if (!options.json) std::printf("%8s %10s %10s %8s %8s %8s\n", "bytes", "raw ns", "call ns", "ratio", "p5", "p95");
  if (options.json) std::printf("{\"pairs\": %zu, \"verdict\": \"%s\", \"sizes\": [", pairs.size(), verdict);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Spread ratio = column([i](const Medians& m) { return m[i][called] / m[i][raw]; });
    const double raw_ns = column([i](const Medians& m) { return m[i][raw]; }).p50;
    const double call_ns = column([i](const Medians& m) { return m[i][called]; }).p50;
    std::printf(options.json ? "%s{\"bytes\": %zu, \"raw_ns\": %.1f, \"call_ns\": %.1f, \"ratio\": %.4f, "
                               "\"ratio_p5\": %.4f, \"ratio_p95\": %.4f}"
                             : "%s%8zu %10.1f %10.1f %8.3f %8.3f %8.3f\n",
                options.json && i != 0 ? ", " : "", sizes[i], raw_ns, call_ns, ratio.p50, ratio.p5, ratio.p95);
    Figure figure;
    figure.name = "ring.rtt_ratio." + std::to_string(sizes[i]);
    figure.value = ratio.p50;
    figure.unit = "ratio";
    figure.n = pairs.size();
    figure.seconds = seconds;
    figure.note = std::string(verdict) + "; whole call of a default link over the raw line of " +
                  std::to_string(static_cast<long>(raw_ns)) + " ns";
    const bool is_default = options.trust == Trust::cooperative && options.waiting == Waiting::adaptive;
    if (is_default && !write_figure(figure)) std::fputs("bench_call: a figure could not be written\n", stderr);
  }
  if (options.json) {
    std::printf("]}\n");
  } else {
    std::printf("the limit against itself: %.3f, %s\n", check.ratio, verdict);
  }
  return check.conclusive() ? 0 : 3;
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view argument = argv[i], value = argv[i + 1];
    const bool is_number = value.find_first_not_of("0123456789") == std::string_view::npos && value.size() < 6;
    const std::size_t number = is_number ? std::strtoull(argv[i + 1], nullptr, 10) : 0;
    if (argument == "-o" && value == "json") {
      options.json = true;
    } else if (argument == "--pairs" && number >= 1) {
      options.pairs = number;
    } else if (argument == "--rounds" && number >= 1) {
      options.rounds = number;
    } else if (argument == "--trust" && (value == "hostile" || value == "cooperative")) {
      options.trust = value == "hostile" ? Trust::hostile : Trust::cooperative;
    } else if (argument == "--waiting" && (value == "spin" || value == "adaptive")) {
      options.waiting = value == "spin" ? Waiting::spin : Waiting::adaptive;
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "--pit") return symphony::bench::be_pit(argv[2], argv[3]);
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  const auto options = help ? std::optional<symphony::bench::Options>() : symphony::bench::read_arguments(argc, argv);
  if (!options) {
    std::fputs(
        "usage: bench_call [--pairs 1..99999] [--rounds 1..99999] [--trust cooperative|hostile]\n"
        "                  [--waiting adaptive|spin] [-o json]\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
