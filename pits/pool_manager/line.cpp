#include "pits/pool_manager/line.hpp"

#include <algorithm>

namespace symphony::pit::pools {
namespace {

// Spreads serials that follow each other over all priorities.
constexpr std::uint32_t mixed(std::uint64_t serial) noexcept {
  serial = (serial ^ serial >> 30) * 0xBF58476D1CE4E5B9U;
  serial = (serial ^ serial >> 27) * 0x94D049BB133111EBU;
  return static_cast<std::uint32_t>(serial >> 32);
}

}  // namespace

void Lines::add(std::uint32_t at, std::uint32_t skips) noexcept {
  if (at == 0) return;
  Node& node = nodes_[at];
  node.skips += skips;
  node.skips_max += skips;
  node.add += skips;
}

void Lines::push(Node& node) noexcept {
  if (node.add == 0) return;
  add(node.left, node.add);
  add(node.right, node.add);
  node.add = 0;
}

void Lines::pull(Node& node) noexcept {
  const Node& left = nodes_[node.left];
  const Node& right = nodes_[node.right];
  node.size = left.size + 1 + right.size;
  node.want_min = std::min({left.want_min, node.want, right.want_min});
  node.skips_max = std::max({left.skips_max, node.skips, right.skips_max});
}

std::uint32_t Lines::insert(Line& line, Rank rank, std::uint32_t waiter, std::uint32_t skips) {
  std::uint32_t at = static_cast<std::uint32_t>(nodes_.size());
  if (free_.empty()) {
    nodes_.emplace_back();
  } else {
    at = free_.back();
    free_.pop_back();
  }
  Node& node = nodes_[at];
  node = Node();
  node.rank = rank;
  node.waiter = waiter;
  node.skips = skips;
  node.priority = mixed(rank.serial);
  pull(node);
  line = inserted(line, at);
  return at;
}

void Lines::erase(Line& line, std::uint32_t node) noexcept {
  line = without(line, node);
  free_.push_back(node);
}

void Lines::split(std::uint32_t at, Rank rank, std::uint32_t& left, std::uint32_t& right) noexcept {
  if (at == 0) {
    left = right = 0;
    return;
  }
  Node& node = nodes_[at];
  push(node);
  if (node.rank < rank) {
    left = at;
    split(node.right, rank, node.right, right);
  } else {
    right = at;
    split(node.left, rank, left, node.left);
  }
  pull(node);
}

std::uint32_t Lines::merge(std::uint32_t left, std::uint32_t right) noexcept {
  if (left == 0 || right == 0) return left + right;
  const bool left_is_root = nodes_[left].priority >= nodes_[right].priority;
  Node& root = nodes_[left_is_root ? left : right];
  push(root);
  if (left_is_root) {
    root.right = merge(root.right, right);
  } else {
    root.left = merge(left, root.left);
  }
  pull(root);
  return left_is_root ? left : right;
}

std::uint32_t Lines::inserted(std::uint32_t at, std::uint32_t node) noexcept {
  if (at == 0) return node;
  Node& here = nodes_[at];
  Node& fresh = nodes_[node];
  push(here);
  if (fresh.priority > here.priority) {
    split(at, fresh.rank, fresh.left, fresh.right);
    pull(fresh);
    return node;
  }
  std::uint32_t& side = fresh.rank < here.rank ? here.left : here.right;
  side = inserted(side, node);
  pull(here);
  return at;
}

std::uint32_t Lines::without(std::uint32_t at, std::uint32_t node) noexcept {
  Node& here = nodes_[at];
  push(here);
  if (at == node) return merge(here.left, here.right);
  std::uint32_t& side = nodes_[node].rank < here.rank ? here.left : here.right;
  side = without(side, node);
  pull(here);
  return at;
}

void Lines::show(Line line, std::uint32_t node, std::uint64_t want) noexcept {
  Node& here = nodes_[line];
  push(here);
  if (line == node) {
    here.want = want;
  } else {
    show(nodes_[node].rank < here.rank ? here.left : here.right, node, want);
  }
  pull(here);
}

void Lines::overtake(Line line, Rank rank) noexcept {
  if (line == 0) return;
  Node& here = nodes_[line];
  push(here);
  if (here.rank < rank) {
    ++here.skips;
    add(here.left, 1);
    overtake(here.right, rank);
  } else {
    overtake(here.left, rank);
  }
  pull(here);
}

std::uint32_t Lines::skips(Line line, std::uint32_t node) const noexcept {
  std::uint32_t owed = 0;
  for (std::uint32_t at = line; at != node;) {
    const Node& here = nodes_[at];
    owed += here.add;
    at = nodes_[node].rank < here.rank ? here.left : here.right;
  }
  return nodes_[node].skips + owed;
}

std::uint32_t Lines::first(Line line) const noexcept {
  while (nodes_[line].left != 0) line = nodes_[line].left;
  return line;
}

std::uint32_t Lines::first_within(Line line, std::uint64_t want_max, const Rank* after) const noexcept {
  const Node& here = nodes_[line];
  if (line == 0 || here.want_min > want_max) return 0;
  if (after != nullptr && here.rank <= *after) return first_within(here.right, want_max, after);
  if (const std::uint32_t found = first_within(here.left, want_max, after); found != 0) return found;
  return here.want <= want_max ? line : first_within(here.right, want_max, nullptr);
}

std::uint32_t Lines::first_skipped(std::uint32_t at, std::uint32_t skips_min, const Rank* after,
                                   std::uint32_t owed) const noexcept {
  const Node& here = nodes_[at];
  if (at == 0 || here.skips_max + owed < skips_min) return 0;
  const std::uint32_t below = owed + here.add;
  if (after != nullptr && here.rank <= *after) return first_skipped(here.right, skips_min, after, below);
  if (const std::uint32_t found = first_skipped(here.left, skips_min, after, below); found != 0) return found;
  return here.skips + owed >= skips_min ? at : first_skipped(here.right, skips_min, nullptr, below);
}

std::uint32_t Lines::before(Line line, Rank rank) const noexcept {
  std::uint32_t count = 0;
  while (line != 0) {
    const Node& here = nodes_[line];
    if (here.rank < rank) {
      count += nodes_[here.left].size + 1;
      line = here.right;
    } else {
      line = here.left;
    }
  }
  return count;
}

}  // namespace symphony::pit::pools
