// What a process host and the pit runtime say to each other over an ordinary link, besides the pit's own messages: who
// the pit is, its life cycle, its snapshots.   Layer: hosting/process (contract, bus/base). Raw little-endian bodies;
// types are hashes of names below `symphony.runtime.`, which no pit may use. The host checks what the runtime says: a
// pit's process is as untrusted as the pit. Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include <symphony/type_id.hpp>

namespace symphony::pit::runtime {

inline constexpr std::uint32_t type_info = type_id("symphony.runtime.Info");  // empty -> a PitNote
inline constexpr std::uint32_t type_step = type_id("symphony.runtime.Step");  // StepBody -> empty
inline constexpr std::uint32_t type_snapshot =
    type_id("symphony.runtime.Snapshot");                                           // SnapshotBody -> ChunkHead, bytes
inline constexpr std::uint32_t type_restore = type_id("symphony.runtime.Restore");  // RestoreHead, bytes -> empty

inline constexpr std::uint32_t type_feed = type_id("symphony.runtime.Feed");  // FeedBody -> empty

inline constexpr std::uint32_t reply_size_min = 16 * 1024;  // of a link to any pit: an info and a chunk fit
inline constexpr std::uint32_t chunk_size_max = 8 * 1024;

enum class Step : std::uint32_t { drain = 1, start = 2, stop = 3, rest = 4 };  // rest: as Host::rest

struct StepBody {
  Step step;
  std::uint32_t reserved;
  std::uint64_t deadline_ns;
};
// offset 0 takes a new snapshot; the following ones read on in it, under the number that came with its first chunk.
struct SnapshotBody {
  std::uint64_t offset;
  std::uint32_t number;
  std::uint32_t reserved;
};
struct ChunkHead {
  std::uint32_t revision;
  std::uint32_t number;  // of the snapshot; another host's, or another instance's, has another
  std::uint64_t total;   // bytes of the snapshot
};
// Chunks in order from offset 0; the one that completes `total` makes a new instance and restores it.
struct RestoreHead {
  std::uint32_t revision;
  std::uint32_t resumes;  // 1: as Host::resume, 0: as Host::restore
  std::uint64_t offset;
  std::uint64_t total;
};
// For replay: the pit's clock stands at now_ns, and its random() begins anew with the seed.
struct FeedBody {
  std::uint64_t seed;
  std::uint64_t now_ns;
};
static_assert(sizeof(StepBody) == 16 && sizeof(SnapshotBody) == 16 && sizeof(ChunkHead) == 16);
static_assert(sizeof(RestoreHead) == 24);

// A fixed head at the beginning of a body; nothing when the body is shorter.
template <class Head>
[[nodiscard]] std::optional<Head> read_head(std::span<const std::byte> body) noexcept {
  if (body.size() < sizeof(Head)) return std::nullopt;
  Head head;
  std::memcpy(&head, body.data(), sizeof head);
  return head;
}

}  // namespace symphony::pit::runtime
