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
#include <vector>

#include <symphony/type_id.hpp>

#include "pits/hosting/pit_info.hpp"

namespace symphony::pit::runtime {

inline constexpr std::uint32_t type_info = type_id("symphony.runtime.Info");  // empty -> InfoHead ...
inline constexpr std::uint32_t type_step = type_id("symphony.runtime.Step");  // StepBody -> empty
inline constexpr std::uint32_t type_snapshot =
    type_id("symphony.runtime.Snapshot");                                           // SnapshotBody -> ChunkHead, bytes
inline constexpr std::uint32_t type_restore = type_id("symphony.runtime.Restore");  // RestoreHead, bytes -> empty

inline constexpr std::uint32_t reply_size_min = 16 * 1024;  // of a link to any pit: an info and a chunk fit
inline constexpr std::uint32_t chunk_size_max = 8 * 1024;

enum class Step : std::uint32_t { drain = 1, start = 2, stop = 3 };

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
  std::uint32_t reserved;
  std::uint64_t offset;
  std::uint64_t total;
};
struct InfoHead {
  std::uint32_t reply_size_max;
  std::uint32_t state_revision;
  std::uint32_t state_revision_min;
  std::uint32_t message_count;
  std::uint32_t name_size;
  std::uint32_t version_size;
};
static_assert(sizeof(StepBody) == 16 && sizeof(SnapshotBody) == 16 && sizeof(ChunkHead) == 16);
static_assert(sizeof(RestoreHead) == 24 && sizeof(InfoHead) == 24);

// A fixed head at the beginning of a body; nothing when the body is shorter.
template <class Head>
[[nodiscard]] std::optional<Head> read_head(std::span<const std::byte> body) noexcept {
  if (body.size() < sizeof(Head)) return std::nullopt;
  Head head;
  std::memcpy(&head, body.data(), sizeof head);
  return head;
}

[[nodiscard]] inline std::vector<std::byte> write_info(const PitInfo& info) {
  const InfoHead head{info.reply_size_max,
                      info.state_revision,
                      info.state_revision_min,
                      static_cast<std::uint32_t>(info.messages.size()),
                      static_cast<std::uint32_t>(info.name.size()),
                      static_cast<std::uint32_t>(info.version.size())};
  std::vector<std::byte> out(sizeof head + info.messages.size() * sizeof(symphony_message_note) + info.name.size() +
                             info.version.size());
  std::byte* to = out.data();
  const auto put = [&to](const void* from, std::size_t size) {
    if (size != 0) std::memcpy(to, from, size);
    to += size;
  };
  put(&head, sizeof head);
  put(info.messages.data(), info.messages.size() * sizeof(symphony_message_note));
  put(info.name.data(), info.name.size());
  put(info.version.data(), info.version.size());
  return out;
}

// Nothing when the body is not exactly an info within the contract's limits.
[[nodiscard]] inline std::optional<PitInfo> read_info(std::span<const std::byte> body) {
  const auto head = read_head<InfoHead>(body);
  if (!head || head->message_count > pit_messages_max || head->name_size > pit_name_size_max ||
      head->version_size > pit_version_size_max || head->reply_size_max > pit_reply_size_max) {
    return std::nullopt;
  }
  const std::size_t messages_size = head->message_count * sizeof(symphony_message_note);
  if (body.size() != sizeof *head + messages_size + head->name_size + head->version_size) return std::nullopt;
  PitInfo info;
  info.reply_size_max = head->reply_size_max;
  info.state_revision = head->state_revision;
  info.state_revision_min = head->state_revision_min;
  info.messages.resize(head->message_count);
  if (messages_size != 0) std::memcpy(info.messages.data(), body.data() + sizeof *head, messages_size);
  const auto* text = reinterpret_cast<const char*>(body.data()) + sizeof *head + messages_size;
  info.name.assign(text, head->name_size);
  info.version.assign(text + head->name_size, head->version_size);
  return info;
}

}  // namespace symphony::pit::runtime
