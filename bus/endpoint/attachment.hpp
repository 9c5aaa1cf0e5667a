// One side's part in attaching to an epoch: its own segment first, the peer's after the seal (A2, A4).   Layer:
// endpoint. Threads: the control thread builds it, then hands it over whole to the thread that owns the link.
#pragma once

#include <cstdint>
#include <memory>

#include <symphony/result.hpp>
#include <symphony/trust.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/channel/layout.hpp"
#include "bus/control/messages.hpp"
#include "bus/memory/mapping.hpp"

namespace symphony::detail {

enum class Side : std::uint8_t { caller, pit };

struct Attached {
  control::Attachment at;
  Geometry geometry;
  std::uint32_t in_flight_max = 0;
  std::uint32_t reply_size_max = 0;
  Trust trust = Trust::cooperative;
  std::uint64_t last_id = 0;  // A of protocol rule D4
  TimeNs look_after_ns = 0;   // a request that stands still for so long is said to; 0: nobody wants to hear it
  Mapping own;
  Mapping peer;
  // The data pages of the peer's segment, writable, where the link is one of write-back; else empty.
  Mapping peer_data;
};

// After OWN: maps this side's segment writable, and the data of `peer_segment` where the link is one of write-back
// (A2); its control pages never. Both descriptors are closed by the time this returns.
[[nodiscard]] result<std::unique_ptr<Attached>> map_own(const control::Own& own, UniqueFd segment, Side side,
                                                        UniqueFd peer_segment = {});

// After PEER: checks the seals and the size of the other side's segment and maps it read-only.
[[nodiscard]] result<void> map_peer(Attached& attached, UniqueFd segment, Side side);

}  // namespace symphony::detail
