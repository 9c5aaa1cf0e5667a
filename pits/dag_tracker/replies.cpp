#include "pits/dag_tracker/replies.hpp"

#include <algorithm>
#include <vector>

#include "pits/dag_tracker/look.hpp"

namespace symphony::pit::tracker {

flatbuffers::Offset<dag::ProgressInfo> progress_info(flatbuffers::FlatBufferBuilder& builder, const Graph& graph,
                                                     std::uint32_t workers) {
  const Counts& counts = graph.counts();
  Left left = left_of(graph);
  if (!left.is_known) left.critical_us = left.work_us = 0;
  const std::uint64_t eta_us = std::max(left.critical_us, left.work_us / std::max(workers, 1U));
  return dag::CreateProgressInfo(builder, graph.tasks() - counts.unfinished(), graph.tasks(), counts.running,
                                 counts.failed + counts.upstream_failed, left.is_known, left.critical_us, left.work_us,
                                 eta_us);
}

flatbuffers::Offset<dag::Explained> explained(flatbuffers::FlatBufferBuilder& builder, const Graph& graph,
                                              std::uint32_t task, std::uint64_t now_ns) {
  std::vector<std::uint32_t> chain = why_chain(graph, task);
  const std::uint32_t cause = chain.back();
  if (chain.size() > chain_shown_max + 1) {
    chain.resize(chain_shown_max);
    chain.push_back(cause);
  }
  std::vector<std::uint8_t> states;
  for (const std::uint32_t t : chain) states.push_back(static_cast<std::uint8_t>(graph.state(t)));
  const TaskState why = graph.state(cause);
  const std::uint64_t due_ns = why == TaskState::retry_wait ? graph.due_ns(cause) : 0;
  const auto path = builder.CreateVector(chain);
  const auto path_states = builder.CreateVector(states);
  const std::string_view error = graph.error(cause);
  const auto text = error.empty() ? 0 : builder.CreateString(error.data(), error.size());
  return dag::CreateExplained(
      builder, static_cast<dag::TaskState>(graph.state(task)), static_cast<dag::TriggerRule>(graph.rule(task)),
      graph.attempt(task), graph.failures(task), graph.retries(task), graph.waits_for(task), path, path_states.o,
      why == TaskState::running ? graph.worker(cause) : 0, due_ns > now_ns ? due_ns - now_ns : 0,
      why == TaskState::ready ? ready_ahead(graph, cause) : 0, text, static_cast<dag::Stop>(graph.stopped()));
}

}  // namespace symphony::pit::tracker
