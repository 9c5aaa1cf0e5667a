// What we want of a link beside each peer, so that a table says where it is not so.   Layer: bench.
//
// Spinning: ahead of every peer up to 4 KiB; above that at least 0.95 of the best. Sleeping: ahead of every library,
// and within 1.1 of a bare Unix socket, which does less. What else the kernel offers stands in the table to compare.
// Threads: constants.
#pragma once

#include <cstddef>
#include <optional>

#include "bench/peers/known.hpp"

namespace symphony::bench::peers {

inline constexpr std::size_t always_ahead_max = 4096;
inline constexpr double share_of_best_min = 0.95;
inline constexpr double over_bare_socket_max = 1.1;

// The most that ours may cost, over the peer's cost; nothing where no goal is set.
[[nodiscard]] constexpr std::optional<double> cost_max(const PeerFacts& peer, std::size_t size) noexcept {
  if (peer.wait == Wait::spin) return size <= always_ahead_max ? 1 : 1 / share_of_best_min;
  if (peer.library) return 1;
  if (peer.name == "uds") return over_bare_socket_max;
  return std::nullopt;
}

// As the ratio of a row: at most this for round trips, which count time; at least this for streams, which count
// messages.
[[nodiscard]] constexpr std::optional<double> ratio_goal(const PeerFacts& peer, Pattern pattern,
                                                         std::size_t size) noexcept {
  const auto most = cost_max(peer, size);
  if (!most || pattern == Pattern::rtt) return most;
  return 1 / *most;
}

[[nodiscard]] constexpr bool meets(Pattern pattern, double ratio, double goal) noexcept {
  return pattern == Pattern::stream ? ratio >= goal : ratio <= goal;
}

}  // namespace symphony::bench::peers
