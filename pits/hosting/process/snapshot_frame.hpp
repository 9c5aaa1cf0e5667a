// A snapshot as the pit runtime and its host carry it to each other: one run of bytes, cut into chunks on the way.
// Layer: hosting/process (contract, bus/base). Format: docs/formats/pit-abi.md. Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "pits/hosting/instance.hpp"

namespace symphony::pit::runtime {

struct FrameHead {
  std::uint32_t timer_count;
  std::uint32_t reserved;
};
struct FrameTimer {
  std::uint64_t id;
  std::int64_t remaining_ns;
};
static_assert(sizeof(FrameHead) == 8 && sizeof(FrameTimer) == 16);

inline constexpr std::size_t frame_size_max =
    sizeof(FrameHead) + SYMPHONY_TIMERS_MAX * sizeof(FrameTimer) + snapshot_size_max;

// Head, timers in order of their ids, the pit's own bytes.
[[nodiscard]] inline std::vector<std::byte> write_frame(const Snapshot& snapshot) {
  const FrameHead head{static_cast<std::uint32_t>(snapshot.timers.size()), 0};
  std::vector<std::byte> out(sizeof head + snapshot.timers.size() * sizeof(FrameTimer) + snapshot.bytes.size());
  std::byte* to = out.data();
  const auto put = [&to](const void* from, std::size_t size) {
    if (size != 0) std::memcpy(to, from, size);
    to += size;
  };
  put(&head, sizeof head);
  for (const ArmedTimer& timer : snapshot.timers) {
    const FrameTimer one{timer.id, timer.remaining_ns};
    put(&one, sizeof one);
  }
  put(snapshot.bytes.data(), snapshot.bytes.size());
  return out;
}

// Nothing when the bytes are no frame: too short, more timers than an instance has, or timers out of order.
[[nodiscard]] inline std::optional<Snapshot> read_frame(std::uint32_t revision, std::span<const std::byte> bytes) {
  FrameHead head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes = bytes.subspan(sizeof head);
  if (head.reserved != 0 || head.timer_count > SYMPHONY_TIMERS_MAX) return std::nullopt;
  if (bytes.size() < head.timer_count * sizeof(FrameTimer)) return std::nullopt;
  Snapshot read{.revision = revision};
  for (std::uint32_t i = 0; i < head.timer_count; ++i) {
    FrameTimer one;
    std::memcpy(&one, bytes.data() + i * sizeof one, sizeof one);
    if (!read.timers.empty() && one.id <= read.timers.back().id) return std::nullopt;
    read.timers.push_back({one.id, one.remaining_ns});
  }
  const auto rest = bytes.subspan(head.timer_count * sizeof(FrameTimer));
  read.bytes.assign(rest.begin(), rest.end());
  return read;
}

}  // namespace symphony::pit::runtime
