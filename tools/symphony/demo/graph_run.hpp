// One run of the demo: N workers take a graph's tasks from a mounted pit and complete them, over and over, until the
// time or the number of calls is used up. When the pit loses its state, the graph is loaded anew. Layer: tools.
// Threads: run_graph() makes one thread a worker and returns when they have ended.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <symphony/conductor.hpp>

#include "bench/latency/histogram.hpp"
#include "tools/symphony/demo/dag_client.hpp"
#include "tools/symphony/graph/task_graph.hpp"
#include "tools/symphony/progress.hpp"

namespace symphony::tools {

struct RunOptions {
  std::string pit = "dag_tracker";
  std::uint32_t workers = 1;
  TimeNs time_max_ns = 2 * second_ns;
  std::uint64_t calls_max = 200'000;
  bool log_replies = false;
  // Called between two graphs, with all workers at rest.
  std::function<void()> between_graphs = {};
  // Called once, by a worker with a task in hand, when half of the time or calls are used up.
  std::function<void()> at_half_time = {};
  Progress* progress = nullptr;  // counted in percent
};

struct RunResult {
  std::uint64_t calls = 0;        // of workers: claims and completions
  std::uint64_t graphs = 0;       // finished
  std::uint64_t transitions = 0;  // of tasks' states, in finished graphs
  TimeNs work_ns = 0;             // time in which workers worked
  TimeNs load_ns = 0;             // of the fastest load of the graph
  TimeNs total_ns = 0;
  TimeNs recovery_ns = 0;  // from at_half_time to the first reply to a call made after it; 0: it was not called
  std::uint64_t levels = 0;
  std::uint64_t lost = 0;        // calls without an ending, and tasks of finished graphs that nobody completed
  std::uint64_t duplicated = 0;  // tasks of finished graphs completed twice
  std::uint64_t dropped = 0;     // endings that came again after a death and were dropped: their calls had them
  bench::Histogram latency;
  ReplyLog replies;                    // log_replies: of the one worker
  std::vector<std::byte> final_state;  // exported after the first graph
  bool states_equal = true;            // after each finished graph the state was that one
  std::string failure;                 // empty: the run is good
};

[[nodiscard]] RunResult run_graph(Conductor& conductor, const TaskGraph& graph, const RunOptions& options);

}  // namespace symphony::tools
