// All graphs of one tracker: numbers, names, common limits, saving as one piece.   Layer: pits/dag_tracker.
//
// Numbers rise and are never used again, also not after save and load. Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pits/dag_tracker/graph.hpp"
#include "pits/dag_tracker/limits.hpp"
#include "pits/dag_tracker/verdict.hpp"
#include "pits/parts/state_io.hpp"

namespace symphony::pit::tracker {

struct NamedGraph {
  std::uint32_t number = 0;
  std::string name;
  Graph graph;
};

class Graphs {
 public:
  static constexpr std::uint32_t state_revision = 2;
  static constexpr std::uint32_t state_revision_min = 1;

  explicit Graphs(const Limits& limits = {}) : limits_(limits) {}

  // On success *made is the new, empty graph. `name` may be empty; others are unique.
  Verdict create(std::string_view name, std::uint64_t fence, NamedGraph** made) {
    return create(name, fence, Options{}, made);
  }
  Verdict create(std::string_view name, std::uint64_t fence, const Options& options, NamedGraph** made);
  // Null when there is none. Valid until the next create, drop or load.
  [[nodiscard]] NamedGraph* find(std::uint32_t number) noexcept;
  [[nodiscard]] NamedGraph* find(std::string_view name) noexcept;
  Verdict drop(std::uint32_t number, std::uint32_t* tasks);

  [[nodiscard]] std::size_t size() const noexcept { return graphs_.size(); }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
  // What this graph may grow to: the common limits less what the other graphs hold.
  [[nodiscard]] Limits room_for(const NamedGraph& graph) const noexcept;

  // For each graph: where the rest of a task is over it is ready.
  void at(std::uint64_t now_ns) noexcept;
  // When the next rest is over; Resting::never: nothing rests.
  [[nodiscard]] std::uint64_t next_due_ns() const noexcept;

  // Everything; equal states give equal bytes. False when the writer refused.
  [[nodiscard]] bool save(StateWriter& to) const;
  // Replaces everything; false, and nothing changed, when the bytes are not a state within the limits.
  [[nodiscard]] bool load(StateReader& from);

 private:
  Limits limits_;
  std::uint32_t last_number_ = 0;
  std::vector<std::unique_ptr<NamedGraph>> graphs_;  // by number
};

}  // namespace symphony::pit::tracker
