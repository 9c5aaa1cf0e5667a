// Waiting lines: ordered sets of waiters that answer in O(log n) who is first, who is first that asks for little
// enough, and who was overtaken too often.   Layer: pits/pool_manager.
//
// A line is the root of a treap; all lines of a manager share one store of nodes. Each node knows of its subtree the
// least want that shows and the most overtaking. A node's priority in the treap is a hash of its serial: the shape
// depends on who waits, never on the order of operations, and no answer depends on the shape.
// Invariants: `add` is owed to the children of a node, its own counts have it already; node 0 is the empty subtree.
// Threads: one at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace symphony::pit::pools {

// Where a waiter stands among others: the lesser first. No two are equal.
struct Rank {
  std::int64_t key = 0;  // when it came, minus what its priority is worth
  std::uint64_t serial = 0;
  friend constexpr auto operator<=>(const Rank&, const Rank&) = default;
};

using Line = std::uint32_t;  // the root; 0 is the empty line

class Lines {
 public:
  static constexpr std::uint64_t hidden = ~std::uint64_t{0};  // a want that no search finds

  Lines() : nodes_(1) {}

  // A node in the line, hidden, overtaken `skips` times. It stays the same until erase().
  std::uint32_t insert(Line& line, Rank rank, std::uint32_t waiter, std::uint32_t skips = 0);
  void erase(Line& line, std::uint32_t node) noexcept;
  // What searches compare with; `hidden` hides it.
  void show(Line line, std::uint32_t node, std::uint64_t want) noexcept;
  // Each that stands before `rank` was overtaken once more.
  void overtake(Line line, Rank rank) noexcept;
  // All keys of all lines, by the same.
  void move_keys(std::int64_t by) noexcept {
    for (Node& node : nodes_) node.rank.key += by;
  }

  [[nodiscard]] std::uint32_t size(Line line) const noexcept { return nodes_[line].size; }
  [[nodiscard]] std::uint32_t skips_max(Line line) const noexcept { return nodes_[line].skips_max; }
  [[nodiscard]] std::uint32_t waiter(std::uint32_t node) const noexcept { return nodes_[node].waiter; }
  [[nodiscard]] Rank rank(std::uint32_t node) const noexcept { return nodes_[node].rank; }
  // Of a node of this line.
  [[nodiscard]] std::uint32_t skips(Line line, std::uint32_t node) const noexcept;

  // Nodes, 0 for none. `after`: only those behind it; null: all.
  [[nodiscard]] std::uint32_t first(Line line) const noexcept;
  [[nodiscard]] std::uint32_t first_within(Line line, std::uint64_t want_max, const Rank* after) const noexcept;
  [[nodiscard]] std::uint32_t first_skipped(Line line, std::uint32_t skips_min, const Rank* after) const noexcept {
    return first_skipped(line, skips_min, after, 0);
  }
  // How many stand before `rank`.
  [[nodiscard]] std::uint32_t before(Line line, Rank rank) const noexcept;

 private:
  struct Node {
    Rank rank;
    std::uint64_t want = hidden;
    std::uint64_t want_min = hidden;
    std::uint32_t waiter = 0;
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    std::uint32_t size = 0;
    std::uint32_t skips = 0;
    std::uint32_t skips_max = 0;
    std::uint32_t add = 0;
    std::uint32_t priority = 0;
  };

  void add(std::uint32_t at, std::uint32_t skips) noexcept;
  void push(Node& node) noexcept;
  void pull(Node& node) noexcept;
  void split(std::uint32_t at, Rank rank, std::uint32_t& left, std::uint32_t& right) noexcept;
  [[nodiscard]] std::uint32_t merge(std::uint32_t left, std::uint32_t right) noexcept;
  [[nodiscard]] std::uint32_t inserted(std::uint32_t at, std::uint32_t node) noexcept;
  [[nodiscard]] std::uint32_t without(std::uint32_t at, std::uint32_t node) noexcept;
  [[nodiscard]] std::uint32_t first_skipped(std::uint32_t at, std::uint32_t skips_min, const Rank* after,
                                            std::uint32_t owed) const noexcept;

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> free_;
};

}  // namespace symphony::pit::pools
