#include "tools/symphony/demo/graph_run.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <memory>
#include <mutex>
#include <thread>

namespace symphony::tools {
namespace {

constexpr std::uint64_t calls_between_reports = 256;  // of one worker

// What the workers of a run share. Written between rounds by the one thread that the barrier chose, read in rounds by
// all.
struct Run {
  Run(Conductor& c, const TaskGraph& g, const RunOptions& o)
      : conductor(c), graph(g), options(o), completions(g.names.size()) {}

  Conductor& conductor;
  const TaskGraph& graph;
  const RunOptions& options;
  RunResult result;

  std::vector<std::unique_ptr<DagClient>> workers;
  std::unique_ptr<DagClient> loader;
  std::uint32_t graph_id = 0;
  bool over = false;
  TimeNs begun_ns = 0;
  TimeNs round_begun_ns = 0;
  std::atomic<bool> finished{false};  // in this round
  std::atomic<std::uint64_t> calls{0};
  bool half_time_taken = false;                        // of worker 0
  TimeNs struck_ns = 0;                                // likewise: when at_half_time was called; 0: not, or recovered
  std::vector<std::atomic<std::uint8_t>> completions;  // of this round's graph, by task
  std::mutex failure_mutex;

  void fail(const std::string& why) {
    const std::lock_guard lock(failure_mutex);
    if (result.failure.empty()) result.failure = why;
  }
  [[nodiscard]] bool failed() {
    const std::lock_guard lock(failure_mutex);
    return !result.failure.empty();
  }
  [[nodiscard]] bool used_up() const {
    return now_ns() - begun_ns >= options.time_max_ns || calls >= options.calls_max;
  }

  // Of the time or the calls, whichever is nearer to its end.
  [[nodiscard]] std::uint64_t percent_used() const {
    const auto part = [](auto used, auto all) { return 100.0 * static_cast<double>(used) / static_cast<double>(all); };
    return static_cast<std::uint64_t>(std::min(
        100.0, std::max(part(calls.load(), options.calls_max), part(now_ns() - begun_ns, options.time_max_ns))));
  }

  void load();
  void finish_graph();
  void between_rounds() noexcept;
  void work(std::uint32_t worker);
  void take_half_time(std::uint64_t made);
};

void Run::load() {
  const TimeNs begin = now_ns();
  DagClient::Loaded loaded;
  if (loader->load(graph, loaded) != DagOutcome::ok) return fail(loader->why());
  const TimeNs took = now_ns() - begin;
  result.load_ns = result.load_ns == 0 ? took : std::min(result.load_ns, took);
  result.levels = loaded.levels;
  graph_id = loaded.graph;
  for (auto& count : completions) count = 0;
}

void Run::finish_graph() {
  std::vector<std::byte> state;
  std::uint64_t transitions = 0;
  for (const DagOutcome o :
       {loader->export_state(graph_id, state), loader->transitions(graph_id, transitions), loader->drop(graph_id)}) {
    if (o != DagOutcome::ok) return fail(loader->why());
  }
  ++result.graphs;
  result.transitions += transitions;
  for (const auto& count : completions) {
    result.lost += count == 0;
    result.duplicated += count > 1;
  }
  if (result.graphs == 1) result.final_state = state;
  result.states_equal = result.states_equal && state == result.final_state;
}

void Run::between_rounds() noexcept {
  if (begun_ns == 0) {
    begun_ns = now_ns();
  } else {
    result.work_ns += now_ns() - round_begun_ns;
    if (finished) finish_graph();
  }
  over = failed() || (used_up() && result.graphs != 0);
  if (!over) {
    if (options.between_graphs) options.between_graphs();
    load();
    over = failed();
  }
  finished = false;
  round_begun_ns = now_ns();
}

// `made`: calls of this worker that are not counted yet.
void Run::take_half_time(std::uint64_t made) {
  const bool half = now_ns() - begun_ns >= options.time_max_ns / 2 || calls + made >= options.calls_max / 2;
  if (half_time_taken || !half) return;
  half_time_taken = true;
  struck_ns = now_ns();
  options.at_half_time();
}

void Run::work(std::uint32_t worker) {
  DagClient& client = *workers[worker];
  std::uint64_t made = 0;
  const auto report = [&](bool always) {
    if (!always && made < calls_between_reports) return;
    calls += std::exchange(made, 0);
    if (options.progress != nullptr) options.progress->set(percent_used());
  };
  const auto good = [&](DagOutcome o) {
    if (o != DagOutcome::ok) fail(client.why());
    return o == DagOutcome::ok;
  };
  client.caller().measuring = true;
  while (!finished) {
    DagClient::Claimed claimed;
    ++made;
    if (!good(client.claim(graph_id, worker, claimed))) break;
    if (claimed.token == 0) {
      if (claimed.unfinished == 0) {
        finished = true;
      } else {
        std::this_thread::yield();  // others hold what is to be done first
      }
    } else {
      // With a task in hand, so that the strike meets a graph at work.
      if (options.at_half_time && worker == 0) take_half_time(made);
      ++made;
      if (!good(client.complete(graph_id, claimed.task, claimed.token))) break;
      if (worker == 0 && struck_ns != 0) result.recovery_ns = now_ns() - std::exchange(struck_ns, 0);
      if (claimed.task < completions.size()) ++completions[claimed.task];
    }
    report(false);
  }
  report(true);
  client.caller().measuring = false;
}

}  // namespace

RunResult run_graph(Conductor& conductor, const TaskGraph& graph, const RunOptions& options) {
  Run run(conductor, graph, options);
  const auto open = [&]() -> std::unique_ptr<DagClient> {
    Caller caller = conductor.open(options.pit);
    if (!caller.ok()) run.fail("open " + options.pit + ": " + caller.why().text);
    return std::make_unique<DagClient>(std::move(caller));
  };
  run.loader = open();
  for (std::uint32_t i = 0; i < options.workers; ++i) run.workers.push_back(open());
  if (run.failed()) return std::move(run.result);
  if (options.log_replies) run.workers[0]->caller().log = &run.result.replies;

  const TimeNs begin = now_ns();
  std::barrier rounds(static_cast<std::ptrdiff_t>(options.workers), [&run]() noexcept { run.between_rounds(); });
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < options.workers; ++i) {
    threads.emplace_back([&run, &rounds, i] {
      for (rounds.arrive_and_wait(); !run.over; rounds.arrive_and_wait()) run.work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  run.result.total_ns = now_ns() - begin;
  run.result.calls = run.calls;
  for (const auto& worker : run.workers) {
    run.result.latency.merge(worker->caller().latency());
    const Caller::Tally tally = worker->caller().caller().tally();
    run.result.lost += tally.calls - tally.ended;
    run.result.dropped += tally.dropped;
  }
  return std::move(run.result);
}

}  // namespace symphony::tools
