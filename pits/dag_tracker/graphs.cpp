// The list of graphs and the frame of the saved state.   Layer: pits/dag_tracker.
//
//   u64 magic  u32 revision  u32 last number  u32 graphs; for each, by number: u32 number, u8 size of its name, name,
//   graph (graph_state.cpp); u64 checksum
#include "pits/dag_tracker/graphs.hpp"

#include <algorithm>
#include <utility>

namespace symphony::pit::tracker {
namespace {

constexpr std::uint64_t magic = 0x6B72'5467'6144'7953;  // "SyDagTrk"

}  // namespace

Verdict Graphs::create(std::string_view name, std::uint64_t fence, const Options& options, NamedGraph** made) {
  if (name.size() > limits_.name_size) return {Refusal::limit, "the graph's name is too long; use at most 255 bytes"};
  if (fence > fence_max) return {Refusal::bad_argument, "fence leaves no room for tokens; use at most 2^63"};
  if (options.losses_max > losses_max_max) return {Refusal::limit, "losses_max is too large; use at most 255"};
  if (!name.empty() && find(name) != nullptr) {
    return {Refusal::name_taken, "a graph of this name exists; look it up with FindGraph or drop it with DropGraph"};
  }
  if (graphs_.size() >= limits_.graphs || last_number_ == 0xFFFFFFFF) {
    return {Refusal::limit, "too many graphs for one pit; drop finished graphs with DropGraph or use a second pit"};
  }
  auto fresh = std::make_unique<NamedGraph>(NamedGraph{last_number_ + 1, std::string(name), Graph(fence, options)});
  graphs_.push_back(std::move(fresh));
  ++last_number_;
  *made = graphs_.back().get();
  return {};
}

NamedGraph* Graphs::find(std::uint32_t number) noexcept {
  const auto at = std::lower_bound(graphs_.begin(), graphs_.end(), number,
                                   [](const auto& graph, std::uint32_t n) { return graph->number < n; });
  return at != graphs_.end() && (*at)->number == number ? at->get() : nullptr;
}

NamedGraph* Graphs::find(std::string_view name) noexcept {
  if (name.empty()) return nullptr;
  const auto at =
      std::find_if(graphs_.begin(), graphs_.end(), [name](const auto& graph) { return graph->name == name; });
  return at != graphs_.end() ? at->get() : nullptr;
}

Verdict Graphs::drop(std::uint32_t number, std::uint32_t* tasks) {
  const auto at = std::find_if(graphs_.begin(), graphs_.end(), [number](const auto& g) { return g->number == number; });
  if (at == graphs_.end()) return {Refusal::no_such_graph, "no graph has this number; it may have been dropped before"};
  *tasks = (*at)->graph.tasks();
  graphs_.erase(at);
  return {};
}

Limits Graphs::room_for(const NamedGraph& graph) const noexcept {
  Limits room = limits_;
  for (const auto& other : graphs_) {
    if (other->number == graph.number) continue;
    room.tasks -= other->graph.tasks();
    room.edges -= other->graph.edges();
    room.name_bytes -= other->graph.name_bytes();
  }
  return room;
}

void Graphs::at(std::uint64_t now_ns) noexcept {
  for (const auto& graph : graphs_) {
    if (graph->graph.is_resting()) graph->graph.at(now_ns);
  }
}

std::uint64_t Graphs::next_due_ns() const noexcept {
  std::uint64_t next_ns = Resting::never;
  for (const auto& graph : graphs_) next_ns = std::min(next_ns, graph->graph.next_due_ns());
  return next_ns;
}

bool Graphs::save(StateWriter& to) const {
  const auto count = static_cast<std::uint32_t>(graphs_.size());
  if (!to.number(magic) || !to.number(state_revision) || !to.number(last_number_) || !to.number(count)) return false;
  for (const auto& graph : graphs_) {
    if (!to.number(graph->number) || !to.number(static_cast<std::uint8_t>(graph->name.size())) ||
        !to.array(std::span<const char>(graph->name)) || !graph->graph.save(to)) {
      return false;
    }
  }
  return to.finish();
}

bool Graphs::load(StateReader& from) {
  std::uint64_t found_magic = 0;
  std::uint32_t revision = 0;
  std::uint32_t count = 0;
  Graphs fresh(limits_);
  if (!from.number(&found_magic) || found_magic != magic) return false;
  if (!from.number(&revision) || revision < state_revision_min || revision > state_revision) return false;
  if (!from.number(&fresh.last_number_) || !from.number(&count) || count > limits_.graphs) return false;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto graph = std::make_unique<NamedGraph>();
    std::uint8_t name_size = 0;
    if (!from.number(&graph->number) || graph->number <= last || graph->number > fresh.last_number_) return false;
    if (!from.number(&name_size) || name_size > limits_.name_size || !from.array(name_size, &graph->name)) return false;
    if (fresh.find(graph->name) != nullptr) return false;
    if (!graph->graph.load(from, fresh.room_for(*graph), revision)) return false;
    last = graph->number;
    fresh.graphs_.push_back(std::move(graph));
  }
  if (!from.finish()) return false;
  *this = std::move(fresh);
  return true;
}

}  // namespace symphony::pit::tracker
