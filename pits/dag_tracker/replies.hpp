// What is told of a graph, as messages.   Layer: pits/dag_tracker. Threads: pure functions of the graph.
#pragma once

#include <cstdint>

#include "dag_tracker_generated.h"
#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {

[[nodiscard]] flatbuffers::Offset<dag::ProgressInfo> progress_info(flatbuffers::FlatBufferBuilder& builder,
                                                                   const Graph& graph, std::uint32_t workers);

// Precondition: task < graph.tasks().
[[nodiscard]] flatbuffers::Offset<dag::Explained> explained(flatbuffers::FlatBufferBuilder& builder, const Graph& graph,
                                                            std::uint32_t task, std::uint64_t now_ns);

}  // namespace symphony::pit::tracker
