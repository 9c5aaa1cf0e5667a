#include "tools/symphony/demo/demo.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <symphony/broker.hpp>
#include <symphony/conductor.hpp>
#include <symphony/endpoint.hpp>

#include "bench/support/pinning.hpp"
#include "bench/support/yardstick.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);

namespace symphony::tools {
namespace {

constexpr const char* pit_name = "dag_tracker";

int fail(int exit_status, const std::string& text) {
  std::fprintf(stderr, "symphony demo: %s\n", text.c_str());
  return exit_status;
}

// A broker in this program with the pit behind it.
struct ProcessSide {
  EmbeddedBroker broker;
  Endpoint endpoint;
};

result<ProcessSide> start_process_side(const std::string& file) {
  BrokerOptions options;
  PitConfig pit;
  pit.name = pit_name;
  pit.executable = find_program(pit_host_program);
  pit.args = {file};
  pit.state.durability = Durability::journal;  // so that its death in the middle loses nothing
  options.pits.push_back(std::move(pit));
  options.keeper_executable = find_program("symphony-keeper");
  auto broker = EmbeddedBroker::start(std::move(options));
  if (!broker) return unexpected(broker.error());
  auto socket = broker->connect();
  if (!socket) return unexpected(socket.error());
  auto endpoint = Endpoint::adopt(*std::move(socket));
  if (!endpoint) return unexpected(endpoint.error());
  return ProcessSide{*std::move(broker), *std::move(endpoint)};
}

// What is called from here on is answered by the next instance.
void wait_until_dead(pid_t pid) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd dead{pidfd.get(), POLLIN, 0};
  while (pidfd && ::poll(&dead, 1, -1) < 0 && errno == EINTR) {
  }
}

std::string failure_of(const DemoResult& r) {
  const std::pair<const RunResult&, const char*> runs[] = {{r.static_one, "static, 1 worker"},
                                                           {r.process_one, "process, 1 worker"},
                                                           {r.static_many, "static, all workers"},
                                                           {r.process_many, "process, all workers"}};
  for (const auto& [run, name] : runs) {
    if (!run.failure.empty()) return std::string(name) + ": " + run.failure;
  }
  return {};
}

// Yardsticks that take turns with the calls of a run: a few round trips between two graphs, while the pit sleeps.
class YardstickTurns {
 public:
  [[nodiscard]] static result<YardstickTurns> start() {
    const std::filesystem::path program = find_program("symphony-yardstick");
    // The line is a matter of two processors, so it is pinned to two; a socket is measured as the system schedules it.
    auto line = bench::Yardsticks::start({.program = program, .pin = true});
    if (!line) return unexpected(line.error());
    auto socket = bench::Yardsticks::start({.program = program});
    if (!socket) return unexpected(socket.error());
    return YardstickTurns(*std::move(line), *std::move(socket));
  }
  void take_turn() {
    // On one processor a line cannot travel between two: there is nothing to measure.
    if (!bench::two_cpus()) return;
    if (now_ns() < next_ns_ || !failure_.empty()) return;
    const auto line = line_.measure_line(round_trips);
    const auto socket = socket_.measure_uds(round_trips / 32);
    if (!line || !socket) {
      failure_ = (line ? socket.error() : line.error()).text;
      return;
    }
    line_ns_.merge(line->stamped);
    socket_ns_.merge(socket->stamped);
    next_ns_ = now_ns() + turn_every_ns;
  }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] Yardstick measured() const {
    return {line_ns_.percentile_ns(50), socket_ns_.percentile_ns(50), line_ns_.count()};
  }

 private:
  YardstickTurns(bench::Yardsticks line, bench::Yardsticks socket)
      : line_(std::move(line)), socket_(std::move(socket)) {}

  static constexpr std::uint64_t round_trips = 1024;
  static constexpr TimeNs turn_every_ns = 10 * ms_ns;
  bench::Yardsticks line_;
  bench::Yardsticks socket_;
  bench::Histogram line_ns_;
  bench::Histogram socket_ns_;
  TimeNs next_ns_ = 0;
  std::string failure_;
};

void compare(DemoResult& r) {
  const auto& a = r.static_one.replies.bytes();
  const auto& b = r.process_one.replies.bytes();
  const std::size_t common = std::min(a.size(), b.size());
  r.replies_compared = std::min(r.static_one.replies.replies(), r.process_one.replies.replies());
  r.replies_equal = common != 0 && std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(common), b.begin());
  r.states_equal = !r.static_one.final_state.empty();
  for (const RunResult* run : {&r.static_one, &r.process_one, &r.static_many, &r.process_many}) {
    r.states_equal = r.states_equal && run->states_equal && run->final_state == r.static_one.final_state;
  }
}

}  // namespace

bool DemoResult::good() const {
  if (!failure_of(*this).empty() || !replies_equal || !states_equal) return false;
  return std::ranges::all_of(
      std::initializer_list<const RunResult*>{&static_one, &process_one, &static_many, &process_many},
      [](const RunResult* run) { return run->lost == 0 && run->duplicated == 0; });
}

int run_demo(const DemoOptions& options) {
  const TimeNs begin = now_ns();
  DemoResult result;
  result.workers = options.workers;
  result.killed = options.kill;
  result.input = options.graph.empty() ? dpkg_status_file : options.graph;
  const TimeNs read_begin = now_ns();
  // Installed packages always have a few cycles, so without a file of one's own they are merged.
  auto loaded = load_graph(result.input, {.condense = options.condense || options.graph.empty()});
  if (!loaded) return fail(loaded.error().exit_status(), loaded.error().text);
  result.graph = std::move(*loaded);
  result.read_ns = now_ns() - read_begin;

  const std::string file = find_pit_file(pit_name);
  if (file.empty() || find_program(pit_host_program).empty()) {
    return fail(exit_not_found,
                "dag_tracker.so or symphony-pit-host is not where this program is: build the whole tree");
  }
  auto side = start_process_side(file);
  if (!side) return fail(exit_status_of(side.error().code), side.error().text);
  Conductor linked;
  Conductor remote(&side->endpoint);
  for (const StepResult& step : {linked.mount(pit_name, {.entry = symphony_pit_dag_tracker()}),
                                 remote.mount(pit_name, {.mode = Mode::process})}) {
    if (!step.ok()) return fail(exit_internal, std::string("mount: ") + step.text);
  }

  Progress progress("static, 1 worker", 100);
  RunOptions run{.pit = pit_name,
                 .workers = 1,
                 .time_max_ns = static_cast<TimeNs>(options.seconds * static_cast<double>(second_ns)),
                 .calls_max = options.calls,
                 .log_replies = true,
                 .progress = &progress};
  const auto go = [&](const char* label, Conductor& conductor) {
    progress.describe(label, 100);
    return run_graph(conductor, result.graph.graph, run);
  };
  auto yardsticks = YardstickTurns::start();
  if (!yardsticks) return fail(exit_internal, std::string("yardsticks: ") + yardsticks.error().text);
  result.static_one = go("static, 1 worker", linked);
  run.between_graphs = [&] { yardsticks->take_turn(); };
  result.process_one = go("process, 1 worker", remote);
  result.yardstick = yardsticks->measured();
  run.between_graphs = {};
  run.workers = options.workers;
  run.log_replies = false;
  result.static_many = go("static, all workers", linked);
  std::string kill_failure;
  if (options.kill) {
    run.at_half_time = [&] {
      const auto killed = side->broker.kill_pit(pit_name);
      if (!killed) {
        kill_failure = killed.error().text;
      } else {
        wait_until_dead(*killed);
      }
    };
  }
  result.process_many = go("process, all workers", remote);
  progress.finish();

  if (const std::string why = failure_of(result); !why.empty()) return fail(exit_bad, why);
  if (!yardsticks->failure().empty()) return fail(exit_internal, "yardsticks: " + yardsticks->failure());
  if (!kill_failure.empty()) return fail(exit_bad, "the pit could not be killed: " + kill_failure);
  compare(result);
  result.total_ns = now_ns() - begin;
  std::fputs(options.json ? demo_json(result).c_str() : demo_text(result).c_str(), stdout);
  if (!write_demo_figures(result)) return exit_internal;
  return result.good() ? exit_ok : exit_bad;
}

}  // namespace symphony::tools
