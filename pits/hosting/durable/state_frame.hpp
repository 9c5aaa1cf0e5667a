// Everything that an instance is, as one run of bytes: the pit's own state and what its host knows of it.   Layer:
// hosting/durable. Format: schemas/state_frame.fbs, docs/formats/state.md. Threads: plain values, pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pits/hosting/instance.hpp"

namespace symphony::pit {

// An ending that is not on its link yet.
struct Owed {
  std::uint64_t link = 0;
  std::uint64_t id = 0;
  std::int32_t status = SYMPHONY_OK;
  std::uint32_t type = 0;         // 0 of an error
  std::vector<std::byte> body{};  // of an error: its text
};

// A request that the pit left for later, by its number in the instance.
struct WaitingRequest {
  std::uint64_t link = 0;
  std::uint64_t id = 0;
};

// A call of the pit's own that has no answer yet.
struct OwnCall {
  std::string service;
  std::uint32_t type = 0;
  std::uint32_t effect = SYMPHONY_EFFECT_ONCE;
  TimeNs deadline_ns = no_deadline_ns;
  std::uint64_t cookie = 0;
  std::vector<std::byte> body{};
};

struct StateFrame {
  std::string pit;
  std::string version;
  std::uint64_t schema_hash = 0;
  Snapshot snapshot;  // without timers: they are in `memory`
  InstanceMemory memory;
  TimeNs clock_ns = 0;
  std::uint64_t boot = 0;  // which run of the machine the clock is of
  bool drained = false;
  std::map<std::uint64_t, std::uint64_t> last_ids;  // by link
  std::map<std::uint64_t, WaitingRequest> waiting;  // by request
  std::vector<Owed> owed;
  std::vector<OwnCall> calls;
};

// Equal frames give equal bytes.   Throws bad_alloc.
[[nodiscard]] std::vector<std::byte> write_state_frame(const StateFrame& frame);
// Nothing when the bytes are no frame.   Throws bad_alloc.
[[nodiscard]] std::optional<StateFrame> read_state_frame(std::span<const std::byte> bytes);

}  // namespace symphony::pit
