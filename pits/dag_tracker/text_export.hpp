// A graph as text for other programs: Graphviz, or JSON.   Layer: pits/dag_tracker.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {

enum class TextForm : std::uint8_t { dot = 0, json = 1 };
inline constexpr std::uint32_t text_row_max = 2'048;  // a task's or an edge's line is never longer

[[nodiscard]] std::string_view name_of(TaskState state) noexcept;

// Appends to `out` what stands from `from` on (0: the beginning), until less than a row fits `room` bytes. Where the
// next piece begins; 0 at the end. A `from` behind the end appends nothing.
[[nodiscard]] std::uint64_t export_text(const Graph& graph, std::string_view name, TextForm form, std::uint64_t from,
                                        std::size_t room, std::string& out);

}  // namespace symphony::pit::tracker
