// bench_wake: what it costs to wake a link whose other side sleeps.   Layer: bench.
//
// Each pair is three fresh processes: this one calls, one answers what the kernel offers bare (futex, pipe, Unix
// socket), one is a pit's runtime as shipped. They take turns of 16 round trips, every side sleeping for each message.
//   apart     the two sides on a processor each; before each round trip the caller thinks, uncounted, so that the other
//             side sleeps
//   together  both on one; beside it a yield ping-pong over the same rings, where nobody sleeps
//   free      the scheduler places them
// A ratio is that of medians over the turns of one pair; the figure is its median over the pairs, over the quickest
// bare path of that pair. Beside it the futex slept on as a link does, on two words and with a bound.
// Exit status: 0 measured, 1 could not measure (a second processor is needed), 2 wrong arguments, 3 inconclusive: the
// futex over itself left 0.93 to 1.07, or disturbed pairs had to be taken.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/latency/kernel_paths.hpp"
#include "bench/latency/link_series.hpp"
#include "bench/support/figure.hpp"
#include "bench/support/pairs.hpp"
#include "bench/support/pinning.hpp"
#include "bus/control/socket.hpp"
#include "bus/endpoint/link_core.hpp"
#include "bus/endpoint/service_core.hpp"

namespace symphony::bench {
namespace {

using namespace detail;

constexpr std::size_t turn_size = 16;
constexpr TimeNs think_ns = 60 * us_ns;
constexpr TimeNs patience_ns = 10 * second_ns;

enum Kind : std::size_t { link, futex, futex_again, bounded, pipes, sockets, yielding, kind_count };
constexpr std::array<const char*, kind_count> kinds{
    "link, sleeping", "futex", "futex again", "futex, as a link", "pipe", "unix socket", "ring, yielding"};
enum class Place { apart, together, free };
constexpr std::array<const char*, 3> places{"apart", "together", "free"};

struct Options {
  std::size_t pairs = 15;
  std::size_t rounds = 30;
  bool repeat_disturbed = true;
  bool json = false;
};

// ---- the link: a pit's runtime in its own process, attached as a broker would

struct Echo : RequestHandler {
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    const auto bytes = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    std::copy(request.body.begin(), request.body.end(), bytes.begin());
    reply.commit(static_cast<std::uint32_t>(request.body.size()), 2);
  }
};

struct NoBroker : LinkControl {
  explicit NoBroker(ForkGuard made) : guard(std::move(made)) {}
  void report_fault(const control::Attachment&, RingFault) noexcept override {}
  void close_link(control::LinkId) noexcept override {}
  [[nodiscard]] const ForkGuard& fork_guard() const noexcept override { return guard; }
  ForkGuard guard;
};

int run_pit(UniqueFd socket) {
  auto core = ServiceCore::start(control::ControlSocket(std::move(socket)),
                                 {.name = "echo", .version = "1", .reply_size_max = 256, .waiting = Waiting::sleep});
  if (!core) return 1;
  Echo echo;
  (*core)->run(echo);
  return 0;
}

// Rules A2 to A5 with one end in this process.
result<std::unique_ptr<Attached>> attach(control::ControlSocket& pit) {
  const TimeNs deadline = deadline_after(patience_ns);
  control::Own own;
  own.at = {1, 1, 1};
  own.request_capacity = own.reply_capacity = link_capacity;
  own.request_salt = own.reply_salt = 0x5eed;
  own.in_flight_max = 1;
  own.reply_size_max = largest_reply_in(link_capacity);
  own.trust = static_cast<std::uint8_t>(Trust::cooperative);
  auto pair = create_segment_pair(caller_segment_size(link_capacity), pit_segment_size(link_capacity), 1);
  if (!pair) return unexpected(pair.error());
  auto mine = map_own(own, pair->caller.duplicate(), Side::caller);
  if (!mine) return unexpected(mine.error());
  const auto exchange = [&](const control::Message& message, int fd) -> result<void> {
    if (const auto sent = pit.wait_send(message, {&fd, 1}, deadline); !sent) return sent;
    const auto answer = pit.wait_receive(control::FdPolicy::refuse, deadline);
    if (!answer) return unexpected(answer.error());
    return {};
  };
  if (const auto ready = pit.wait_receive(control::FdPolicy::refuse, deadline); !ready)
    return unexpected(ready.error());
  if (const auto mapped = exchange(own, pair->pit.get()); !mapped) return unexpected(mapped.error());
  for (const int fd : {pair->caller.get(), pair->pit.get()}) {
    if (const auto sealed = seal_segment(fd); !sealed) return unexpected(sealed.error());
  }
  const auto readable = reopen_read_only(pair->caller.get());
  auto theirs = reopen_read_only(pair->pit.get());
  if (!readable) return unexpected(readable.error());
  if (!theirs) return unexpected(theirs.error());
  if (const auto done = exchange(control::Peer{own.at}, readable->get()); !done) return unexpected(done.error());
  if (const auto done = map_peer(**mine, *std::move(theirs), Side::caller); !done) return unexpected(done.error());
  return mine;
}

// ---- the bare paths and the yield ping-pong

struct Bare {
  FutexPath words;
  FutexPath more_words;
  BoundedFutexPath bounded_words;
  ByteStreamPath pipe = ByteStreamPath::of_pipes();
  ByteStreamPath socket = ByteStreamPath::of_sockets();
  [[nodiscard]] bool ok() const noexcept {
    return words.ok() && more_words.ok() && bounded_words.ok() && pipe.ok() && socket.ok();
  }
};

// One message each way over a channel's rings; who waits gives the processor away.
template <class Channel>
struct Yielder {
  Channel channel;
  std::uint64_t number = 0;
  bool send() noexcept {
    const auto body = body_of<32>(++number);
    std::uint64_t at = 0;
    return channel.try_send({.id = number, .type = 1}, std::as_bytes(std::span(body)), 0, at);
  }
  void take() noexcept {
    typename Channel::Record record;
    while (channel.try_peek(record) != Poll::record) ::sched_yield();
    channel.finish(record);
    channel.free_space(true);
  }
};

bool has(Kind kind, Place place) noexcept { return kind != yielding || place == Place::together; }

int answer(Bare& bare, const SegmentPair& segments, const Options& options, Place place) {
  auto area = Area::map(segments, End::pit, Access::read_only);
  if (!area) return 1;
  Yielder<PitChannel<>> yielder{PitChannel<>(area->own.data(), area->peer.data(), link_geometry)};
  const auto step = [&](std::size_t kind) {
    switch (kind) {
      case futex:
        return bare.words.serve();
      case futex_again:
        return bare.more_words.serve();
      case bounded:
        return bare.bounded_words.serve();
      case pipes:
        return bare.pipe.serve();
      case sockets:
        return bare.socket.serve();
      case yielding:
        yielder.take();
        return yielder.send();
      default:
        return true;
    }
  };
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    for (std::size_t kind = futex; kind < kind_count; ++kind) {
      for (std::size_t i = 0; i < turn_size && has(static_cast<Kind>(kind), place); ++i) {
        if (!step(kind)) return 1;
      }
    }
  }
  return 0;
}

struct Measured {
  std::array<double, kind_count> median_us{};
  // Of the link's caller: its system calls.
  double sleeps_a_call = 0;
  double wakes_a_call = 0;
};

pid_t start_process(auto&& body) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();  // this program has one thread
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(::getppid() == parent ? body() : 1);
}

void end_process(pid_t pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool call_all(Bare& bare, LinkCore& core, const SegmentPair& segments, const Options& options, Place place,
              Measured& out) {
  auto area = Area::map(segments, End::caller, Access::read_only);
  if (!area) return false;
  Yielder<CallerChannel<>> yielder{CallerChannel<>(area->own.data(), area->peer.data(), link_geometry)};
  const auto body = body_of<32>(1);
  const auto step = [&](std::size_t kind) {
    switch (kind) {
      case link:
        return core.call(1, std::as_bytes(std::span(body)), {.timeout_ns = patience_ns}).ok();
      case futex:
        return bare.words.call();
      case futex_again:
        return bare.more_words.call();
      case bounded:
        return bare.bounded_words.call();
      case pipes:
        return bare.pipe.call();
      case sockets:
        return bare.socket.call();
      default:
        if (!yielder.send()) return false;
        yielder.take();
        return true;
    }
  };
  std::array<std::vector<double>, kind_count> times;
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    for (std::size_t kind = 0; kind < kind_count; ++kind) {
      if (!has(static_cast<Kind>(kind), place)) continue;
      TimeNs took = 0;
      for (std::size_t i = 0; i < turn_size; ++i) {
        if (place == Place::apart) (void)spin_until([] { return false; }, now_ns() + think_ns);
        const TimeNs start = now_ns();
        if (!step(kind)) return false;
        took += now_ns() - start;
      }
      if (round != 0) times[kind].push_back(static_cast<double>(took) / turn_size / 1e3);
    }
  }
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (times[kind].empty()) continue;
    const auto middle = times[kind].begin() + static_cast<std::ptrdiff_t>(times[kind].size() / 2);
    std::nth_element(times[kind].begin(), middle, times[kind].end());
    out.median_us[kind] = *middle;
  }
  const LinkCounters counters = core.counters();
  const auto calls = static_cast<double>(std::max<std::uint64_t>(1, counters.calls));
  out.sleeps_a_call = static_cast<double>(counters.sleeps) / calls;
  out.wakes_a_call = static_cast<double>(counters.wakes_sent) / calls;
  return true;
}

bool run_pair(const Options& options, Place place, const std::optional<CpuPair>& cpus, Measured& out) {
  auto sockets_made = control::make_socket_pair();
  auto segments = create_segment_pair(caller_segment_size(link_capacity), pit_segment_size(link_capacity), 1);
  auto guard = ForkGuard::make();
  Bare bare;
  if (!sockets_made || !segments || !guard || !bare.ok()) return false;
  const auto place_child = [&] {
    if (place != Place::free) pin_to(0, place == Place::apart ? cpus->helper : cpus->caller);
  };
  const pid_t pit = start_process([&] {
    place_child();
    sockets_made->first.reset();
    return run_pit(std::move(sockets_made->second));
  });
  const pid_t answerer = start_process([&] {
    place_child();
    return answer(bare, *segments, options, place);
  });
  sockets_made->second.reset();
  control::ControlSocket socket(std::move(sockets_made->first));
  bool done = false;
  {
    const Pinned here(place != Place::free ? std::optional(cpus->caller) : std::nullopt);
    auto attached = attach(socket);
    if (attached) {
      LinkCore core(std::make_shared<NoBroker>(*std::move(guard)), std::make_shared<LinkMailbox>(),
                    *std::move(attached), {.in_flight_max = 1, .waiting = Waiting::sleep});
      done = call_all(bare, core, *segments, options, place, out);
    }
  }
  end_process(answerer);
  end_process(pit);
  return done;
}

// What the pairs of one place say together.
struct Summary {
  std::array<Quantiles, kind_count> us{};
  Quantiles ratio;         // the link over the best of the kernel's, or over yielding
  Quantiles over_bounded;  // over the futex as a link uses it
  double futex_over_itself = 1;
  double sleeps_a_call = 0;
  double wakes_a_call = 0;
  std::size_t disturbed = 0;
  bool conclusive = false;
  double seconds = 0;
};

double ratio_of(const Measured& m, Place place) noexcept {
  return m.median_us[link] / (place == Place::together
                                  ? m.median_us[yielding]
                                  : std::min({m.median_us[futex], m.median_us[pipes], m.median_us[sockets]}));
}

std::optional<Summary> measure(const Options& options, Place place, const std::optional<CpuPair>& cpus) {
  const TimeNs start = now_ns();
  std::vector<Measured> pairs;
  Repeats repeats(options.repeat_disturbed ? 2 * options.pairs : 0);
  while (pairs.size() < options.pairs) {
    const CompetingCpu others;
    Measured m;
    if (!run_pair(options, place, cpus, m)) return std::nullopt;
    if (!repeats.repeat(others.disturbed())) pairs.push_back(m);
  }
  const auto over = [&](auto&& value) {
    std::vector<double> values;
    for (const Measured& m : pairs) values.push_back(value(m));
    return quantiles_of(std::move(values));
  };
  Summary all;
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    all.us[kind] = over([&](const Measured& m) { return m.median_us[kind]; });
  }
  all.ratio = over([&](const Measured& m) { return ratio_of(m, place); });
  all.over_bounded = over([](const Measured& m) { return m.median_us[link] / m.median_us[bounded]; });
  all.futex_over_itself = over([](const Measured& m) { return m.median_us[futex] / m.median_us[futex_again]; }).p50;
  all.sleeps_a_call = over([](const Measured& m) { return m.sleeps_a_call; }).p50;
  all.wakes_a_call = over([](const Measured& m) { return m.wakes_a_call; }).p50;
  all.disturbed = repeats.count();
  all.conclusive = !repeats.spent() && SelfCheck{all.futex_over_itself, pairs.size()}.conclusive();
  all.seconds = static_cast<double>(now_ns() - start) / 1e9;
  return all;
}

const char* verdict(const Summary& all) noexcept { return all.conclusive ? "conclusive" : "inconclusive"; }
const char* over_what(Place place) noexcept {
  return place == Place::together ? "yielding" : "the best of the kernel's";
}

void print_table(const Options& options, Place place, const Summary& all) {
  std::printf("%s, %zu pairs of processes, %.2f sleeps and %.2f wake-ups of the link's caller a call\n",
              places[static_cast<std::size_t>(place)], options.pairs, all.sleeps_a_call, all.wakes_a_call);
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (!has(static_cast<Kind>(kind), place)) continue;
    const Quantiles& us = all.us[kind];
    std::printf("  %-17s %8.2f us  (%.2f to %.2f)\n", kinds[kind], us.p50, us.p5, us.p95);
  }
  std::printf(
      "  link over %s: %.3f (%.3f to %.3f), over the futex as a link uses it %.3f\n"
      "  futex over itself %.3f, %zu disturbed pairs repeated: %s\n",
      over_what(place), all.ratio.p50, all.ratio.p5, all.ratio.p95, all.over_bounded.p50, all.futex_over_itself,
      all.disturbed, verdict(all));
}

void print_json(const Options& options, Place place, const Summary& all) {
  std::printf(
      "%s{\"name\": \"%s\", \"pairs\": %zu, \"disturbed\": %zu, \"self_ratio\": %.4f, \"verdict\": \"%s\", "
      "\"over\": \"%s\", \"ratio\": %.4f, \"ratio_p5\": %.4f, \"ratio_p95\": %.4f, \"over_bounded_futex\": %.4f, "
      "\"sleeps_a_call\": %.3f, \"wakes_a_call\": %.3f, \"kinds\": [",
      place == Place::apart ? "" : ", ", places[static_cast<std::size_t>(place)], options.pairs, all.disturbed,
      all.futex_over_itself, verdict(all), over_what(place), all.ratio.p50, all.ratio.p5, all.ratio.p95,
      all.over_bounded.p50, all.sleeps_a_call, all.wakes_a_call);
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (!has(static_cast<Kind>(kind), place)) continue;
    const Quantiles& us = all.us[kind];
    std::printf("%s{\"name\": \"%s\", \"p50_us\": %.3f, \"p5_us\": %.3f, \"p95_us\": %.3f}", kind == 0 ? "" : ", ",
                kinds[kind], us.p50, us.p5, us.p95);
  }
  std::printf("]}");
}

bool write_wake_figure(const Options& options, Place place, const Summary& all) {
  Figure figure;
  figure.name = place == Place::apart ? "ring.wake_ratio" : "ring.wake_ratio_same_core";
  figure.value = all.ratio.p50;
  figure.unit = "ratio";
  figure.n = options.pairs;
  figure.seconds = all.seconds;
  figure.note = std::string(verdict(all)) + "; ";
  char text[256];
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (!has(static_cast<Kind>(kind), place)) continue;
    std::snprintf(text, sizeof text, "%s %.1f us, ", kinds[kind], all.us[kind].p50);
    figure.note += text;
  }
  std::snprintf(
      text, sizeof text,
      "p5 %.3f, p95 %.3f; over the futex as a link uses it %.3f; futex over itself %.3f; %.2f sleeps and %.2f "
      "wake-ups a call; %zu disturbed pairs repeated",
      all.ratio.p5, all.ratio.p95, all.over_bounded.p50, all.futex_over_itself, all.sleeps_a_call, all.wakes_a_call,
      all.disturbed);
  figure.note += text;
  const auto written = write_figure(figure);
  if (!written) std::fprintf(stderr, "bench_wake: %s\n", written.error().text);
  return written.has_value();
}

int run(const Options& options, const CpuPair& cpus) {
  bool conclusive = true;
  if (options.json) std::printf("{\"places\": [");
  for (const Place place : {Place::apart, Place::together, Place::free}) {
    const auto all = measure(options, place, cpus);
    if (!all) {
      std::fputs("bench_wake: a pair of processes did not finish\n", stderr);
      return 1;
    }
    options.json ? print_json(options, place, *all) : print_table(options, place, *all);
    std::fflush(stdout);  // before the next fork
    if (place == Place::free) continue;
    conclusive = conclusive && all->conclusive;
    if (!write_wake_figure(options, place, *all)) return 1;
  }
  if (options.json) std::printf("], \"verdict\": \"%s\"}\n", conclusive ? "conclusive" : "inconclusive");
  return conclusive ? 0 : 3;
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    char* end = nullptr;
    const std::string_view name = argv[i], value = argv[i + 1];
    const std::uint64_t number = std::strtoull(argv[i + 1], &end, 10);
    const bool is_number = *end == '\0' && number >= 1 && number <= 100'000;
    if (name == "-o" && value == "json") {
      options.json = true;
    } else if (name == "--disturbed" && (value == "repeat" || value == "count")) {
      options.repeat_disturbed = value == "repeat";
    } else if ((name == "--pairs" || name == "--rounds") && is_number) {
      (name == "--pairs" ? options.pairs : options.rounds) = number;
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  using namespace symphony::bench;
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  const auto options = help ? std::nullopt : read_arguments(argc, argv);
  if (!options) {
    std::fputs("usage: bench_wake [--pairs 1..100000] [--rounds 1..100000] [--disturbed repeat|count] [-o json]\n",
               help ? stdout : stderr);
    return help ? 0 : 2;
  }
  const auto cpus = two_cpus();
  if (!cpus) {
    std::fputs("bench_wake: needs a second processor\n", stderr);
    return 1;
  }
  return run(*options, *cpus);
}
