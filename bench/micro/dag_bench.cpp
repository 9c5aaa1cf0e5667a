// How fast the DagTracker is by itself: the graph as a data structure, then the same work in messages through the
// contract's C table with the least host there can be.   Layer: bench.
//
// The graph has the size and rough shape of a package archive: a few tasks that almost everything waits for, chains of
// some tens of tasks. `transitions` counts changes of one task's state, as Status reports them; `calls` are requests.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "pits/dag_tracker/graphs.hpp"
#include "tests/unit/dag_tracker/saved_state.hpp"
#include "tests/unit/dag_tracker/tracker_client.hpp"

namespace symphony::pit::tracker {
namespace {

constexpr std::uint32_t archive_tasks = 63'436;
constexpr std::uint32_t archive_edges = 264'191;
constexpr std::uint32_t batch = 8'192;  // edges or tasks of one request

struct Shape {
  std::uint32_t tasks = 0;
  std::vector<std::uint32_t> before, after;
};

// A task of level l waits for tasks of lower levels; a third of all edges begin at one of the first eight tasks.
Shape archive(std::uint32_t tasks, std::uint32_t edges) {
  constexpr std::uint32_t levels = 37;
  std::mt19937_64 rng(37);
  Shape shape{tasks, {}, {}};
  const auto below = [&rng](std::uint32_t end) { return static_cast<std::uint32_t>(rng() % end); };
  // Tasks are numbered at random, levels lie one behind the other in `order`.
  std::vector<std::uint32_t> order(tasks);
  for (std::uint32_t i = 0; i < tasks; ++i) order[i] = i;
  for (std::uint32_t i = tasks; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  const std::uint32_t width = tasks / levels;
  for (std::uint32_t e = 0; e < edges; ++e) {
    const std::uint32_t after = width + below(tasks - width);
    const std::uint32_t level_begin = after / width * width;
    const std::uint32_t before = below(3) == 0 ? below(8) : below(level_begin);
    shape.before.push_back(order[before]);
    shape.after.push_back(order[after]);
  }
  return shape;
}

const Shape& shape_of(const benchmark::State& state) {
  static const Shape whole = archive(archive_tasks, archive_edges);
  static const Shape small = archive(884, 2'773);
  return state.range(0) == archive_tasks ? whole : small;
}

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "dag_bench: %s\n", what);
  std::exit(1);
}

Graph unsealed(const Shape& shape) {
  Graph graph;
  std::size_t bad = 0;
  if (!graph.add_tasks(shape.tasks, {}, {}, Limits{}).ok()) give_up("the tasks were refused");
  if (!graph.add_edges(shape.before, shape.after, Limits{}, &bad).ok()) give_up("the edges were refused");
  return graph;
}

void seal(Graph& graph) {
  std::vector<std::uint32_t> cycle;
  if (!graph.seal(Limits{}, &cycle).ok() || !cycle.empty()) give_up("the graph was not sealed");
}

void graph_seal(benchmark::State& state) {
  const Shape& shape = shape_of(state);
  for (auto _ : state) {
    state.PauseTiming();
    Graph graph = unsealed(shape);
    state.ResumeTiming();
    seal(graph);
    benchmark::DoNotOptimize(graph.levels());
  }
}
BENCHMARK(graph_seal)->Arg(archive_tasks)->Unit(benchmark::kMillisecond);

// One task a claim, as a worker that waits for its answer does it.
void graph_run(benchmark::State& state) {
  const Shape& shape = shape_of(state);
  Graph made = unsealed(shape);
  seal(made);
  std::uint64_t transitions = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Graph graph = made;
    const std::uint64_t before = graph.counts().transitions;
    state.ResumeTiming();
    while (graph.counts().unfinished() != 0) {
      std::uint32_t task = 0;
      std::uint64_t token = 0;
      std::uint32_t newly_ready = 0;
      if (graph.claim(1, std::span(&task, 1), &token) != 1) give_up("no task was ready");
      if (!graph.complete(task, token, &newly_ready).ok()) give_up("a completion was refused");
    }
    transitions += graph.counts().transitions - before;
  }
  state.counters["transitions"] = benchmark::Counter(static_cast<double>(transitions), benchmark::Counter::kIsRate);
}
BENCHMARK(graph_run)->Arg(884)->Arg(archive_tasks)->Unit(benchmark::kMillisecond);

std::uint32_t load(pit::testing::TrackerClient& client, const Shape& shape) {
  if (client.create() != SYMPHONY_OK) give_up("CreateGraph was refused");
  const std::uint32_t graph = client.pit.get<dag::GraphInfo>().graph();
  if (client.add_tasks(graph, shape.tasks) != SYMPHONY_OK) give_up("AddTasks was refused");
  for (std::size_t e = 0; e < shape.before.size(); e += batch) {
    const std::size_t size = std::min<std::size_t>(batch, shape.before.size() - e);
    auto& b = client.pit.builder();
    const auto before = b.CreateVector(shape.before.data() + e, size);
    const auto after = b.CreateVector(shape.after.data() + e, size);
    if (client.pit.send(dag::CreateAddEdges(b, graph, before, after)) != SYMPHONY_OK) give_up("AddEdges was refused");
  }
  if (client.seal(graph) != SYMPHONY_OK) give_up("Seal was refused");
  return graph;
}

void messages_load(benchmark::State& state) {
  const Shape& shape = shape_of(state);
  pit::testing::TrackerClient client;
  if (!client.pit.start()) give_up("the pit did not start");
  for (auto _ : state) {
    const std::uint32_t graph = load(client, shape);
    state.PauseTiming();
    if (client.drop(graph) != SYMPHONY_OK) give_up("DropGraph was refused");
    state.ResumeTiming();
  }
}
BENCHMARK(messages_load)->Arg(archive_tasks)->Unit(benchmark::kMillisecond);

// range(1) tasks a claim; each completed by a request of its own.
void messages_run(benchmark::State& state) {
  const Shape& shape = shape_of(state);
  const auto max = static_cast<std::uint32_t>(state.range(1));
  pit::testing::TrackerClient client;
  if (!client.pit.start()) give_up("the pit did not start");
  std::uint64_t transitions = 0;
  std::uint64_t calls = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::uint32_t graph = load(client, shape);
    if (client.status(graph) != SYMPHONY_OK) give_up("Status was refused");
    const std::uint64_t before = client.pit.get<dag::StatusReply>().transitions();
    std::vector<std::uint32_t> tasks;
    state.ResumeTiming();
    for (;;) {
      if (client.claim(graph, 1, max) != SYMPHONY_OK) give_up("Claim was refused");
      const auto& claimed = client.pit.get<dag::Tasks>();
      const std::uint64_t token = claimed.grant()->token();
      ++calls;
      if (claimed.grant()->unfinished() == 0) break;
      if (token == 0) give_up("no task was ready");
      tasks.assign(1, claimed.grant()->task());
      if (claimed.more() != nullptr) tasks.insert(tasks.end(), claimed.more()->begin(), claimed.more()->end());
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (client.complete(graph, tasks[i], token + i) != SYMPHONY_OK) give_up("Complete was refused");
      }
      calls += tasks.size();
    }
    state.PauseTiming();
    if (client.status(graph) != SYMPHONY_OK) give_up("Status was refused");
    transitions += client.pit.get<dag::StatusReply>().transitions() - before;
    if (client.drop(graph) != SYMPHONY_OK) give_up("DropGraph was refused");
    state.ResumeTiming();
  }
  state.counters["transitions"] = benchmark::Counter(static_cast<double>(transitions), benchmark::Counter::kIsRate);
  state.counters["calls"] = benchmark::Counter(static_cast<double>(calls), benchmark::Counter::kIsRate);
}
BENCHMARK(messages_run)
    ->Args({884, 1})
    ->Args({archive_tasks, 1})
    ->Args({archive_tasks, 16})
    ->Unit(benchmark::kMillisecond);

void state_save(benchmark::State& state) {
  Graphs graphs;
  NamedGraph* made = nullptr;
  if (!graphs.create("archive", 0, &made).ok()) give_up("the graph was not made");
  made->graph = unsealed(shape_of(state));
  seal(made->graph);
  std::size_t size = 0;
  for (auto _ : state) size = testing::save(graphs).size();
  state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK(state_save)->Arg(archive_tasks)->Unit(benchmark::kMillisecond);

void state_load(benchmark::State& state) {
  Graphs graphs;
  NamedGraph* made = nullptr;
  if (!graphs.create("archive", 0, &made).ok()) give_up("the graph was not made");
  made->graph = unsealed(shape_of(state));
  seal(made->graph);
  const testing::Bytes bytes = testing::save(graphs);
  for (auto _ : state) {
    Graphs loaded;
    if (!testing::load(loaded, bytes)) give_up("the saved state was refused");
    benchmark::DoNotOptimize(loaded.size());
  }
}
BENCHMARK(state_load)->Arg(archive_tasks)->Unit(benchmark::kMillisecond);

// The largest graph the limits allow, as a wide layer and a narrow one: time to seal and to find its cycle.
void graph_seal_largest(benchmark::State& state) {
  const bool with_cycle = state.range(0) != 0;
  const Limits limits;
  std::mt19937_64 rng(11);
  Shape shape{limits.tasks, {}, {}};
  for (std::uint32_t e = 0; e + 1 < limits.edges; ++e) {
    const auto a = static_cast<std::uint32_t>(rng() % limits.tasks);
    const auto b = static_cast<std::uint32_t>(rng() % limits.tasks);
    if (a == b) continue;
    shape.before.push_back(std::min(a, b));
    shape.after.push_back(std::max(a, b));
  }
  if (with_cycle) {
    shape.before.push_back(limits.tasks - 1);
    shape.after.push_back(0);
  }
  for (auto _ : state) {
    state.PauseTiming();
    Graph graph = unsealed(shape);
    std::vector<std::uint32_t> cycle;
    state.ResumeTiming();
    if (!graph.seal(limits, &cycle).ok()) give_up("Seal was refused");
    state.counters["cycle"] = static_cast<double>(cycle.size());
  }
}
BENCHMARK(graph_seal_largest)->Arg(0)->Arg(1)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace symphony::pit::tracker
