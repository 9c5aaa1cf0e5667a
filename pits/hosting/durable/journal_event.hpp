// One record of the journal: what entered the pit, or what became of an ending that it owes.   Layer: hosting/durable.
// Format: docs/formats/state.md. Threads: plain values, pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "pits/hosting/instance.hpp"

namespace symphony::pit {

enum class EventKind : std::uint32_t {
  request = 1,  // body: the request's
  timer = 2,    // id: the timer's
  answer = 3,   // id: the cookie; body: the answer's, or the error's text
  drain = 4,
  start = 5,
  stop = 6,
  feed = 7,
  owed = 16,  // the ending of (link, id) was made and is not on its link
  paid = 17,  // it is now
  gone = 18,  // the link is over: what is owed to it is dropped
};

// The numbers of a record; 72 bytes, little-endian.
struct EventHead {
  EventKind kind{};
  std::uint32_t type = 0;  // of the body
  std::uint64_t link = 0;
  std::uint64_t id = 0;
  std::uint64_t now_ns = 0;       // of a timer, a feed: the host's
  std::uint64_t deadline_ns = 0;  // of a request, a drain
  std::uint64_t seed = 0;         // of a feed
  std::int32_t status = 0;        // of an answer
  std::uint16_t flags = 0;        // of a request's envelope
  std::uint8_t attempt = 0;       // likewise
  std::uint8_t reserved = 0;
  Heard heard{};  // what the pit was told while it ran
};
static_assert(sizeof(Heard) == 16 && sizeof(EventHead) == 72);

struct Event {
  EventHead head;
  std::span<const std::byte> body;
};

[[nodiscard]] constexpr bool enters_the_pit(EventKind kind) noexcept { return kind < EventKind::owed; }

// Nothing when the bytes are no event.
[[nodiscard]] inline std::optional<Event> read_event(std::span<const std::byte> bytes) noexcept {
  Event event;
  if (bytes.size() < sizeof event.head) return std::nullopt;
  std::memcpy(&event.head, bytes.data(), sizeof event.head);
  event.body = bytes.subspan(sizeof event.head);
  const auto kind = static_cast<std::uint32_t>(event.head.kind);
  const bool is_known = (kind >= 1 && kind <= 7) || (kind >= 16 && kind <= 18);
  if (!is_known || event.head.reserved != 0) return std::nullopt;
  return event;
}

}  // namespace symphony::pit
