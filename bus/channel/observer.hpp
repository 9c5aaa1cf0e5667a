// What a third party sees of a link: the request that its pit is executing, or could take.   Layer: channel (ring).
//
// Threads: any; it writes nothing. Trust: both sides may write anything at any time. Each word is read once, nothing
// outside the ring is read, and what comes out is numbers that may be wrong, never an address.
// Format: docs/formats/segment.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <symphony/envelope.hpp>

#include "bus/channel/layout.hpp"
#include "bus/ring/mem.hpp"
#include "bus/ring/record.hpp"

namespace symphony::detail {

struct RequestSeen {
  std::uint64_t begun = 0;  // the pit's word: another request has another
  Envelope envelope;
  std::uint32_t body_size = 0;
};

// `words`: the pit's; `data`: of the request ring, `capacity` bytes of it. Nothing: it executes none, or the two sides
// say what does not go together.
template <class Mem = RealMem>
[[nodiscard]] std::optional<RequestSeen> request_being_executed(const PitWords* words, const std::byte* data,
                                                                std::uint32_t capacity, Mem mem = {}) noexcept {
  constexpr int pads_max = 2;  // what a consumer skips at once
  // sync ring.handled acquire: the request that stands behind it is not finished.
  const auto handled = mem.template load<Order::acquire, Site::handled>(&words->requests_handled);
  // sync ring.begun acquire: everything before the record that ends there was handled.
  const auto begun = mem.template load<Order::acquire, Site::begun>(&words->requests_begun);
  if (begun <= handled || begun - handled > capacity || handled % WideRing::line != 0) return std::nullopt;
  for (std::uint64_t at = handled, pads = 0; pads <= pads_max; ++pads) {
    const std::uint64_t offset = at & (capacity - 1);
    // sync ring.commit acquire: from here the bytes of the record may be read.
    const auto header =
        mem.template load<Order::acquire, Site::header>(reinterpret_cast<const std::uint64_t*>(data + offset));
    const auto low = static_cast<std::uint32_t>(header);
    const std::uint32_t size = low & record_size_mask;
    const std::uint64_t stride = stride_of<WideRing>(size);
    if ((low & record_present) == 0 || stride > capacity - offset) return std::nullopt;
    if ((low & record_pad) != 0) {
      at += stride;
      continue;
    }
    if (at + stride != begun || size < sizeof(Envelope)) return std::nullopt;
    RequestSeen seen{begun, {}, static_cast<std::uint32_t>(size - sizeof(Envelope))};
    mem.copy_out(&seen.envelope, data + offset + header_size, sizeof seen.envelope);
    // sync ring.begun acquire: unchanged, so these are its bytes and not those of a later record.
    const auto now = mem.template load<Order::acquire, Site::begun>(&words->requests_begun);
    return now == begun ? std::optional(seen) : std::nullopt;
  }
  return std::nullopt;
}

// Its pit executes none of this link, and could take one: a record stands behind what it has handled, the link is open,
// and the pit itself does not say that it waits for room. `handled`: how far it has come, for who looks again.
template <class Mem = RealMem>
[[nodiscard]] bool request_waits(const PitWords* words, const std::byte* data, std::uint32_t capacity,
                                 std::uint64_t& handled, Mem mem = {}) noexcept {
  // sync ring.handled acquire: the record behind it is not begun, or below begun.
  handled = mem.template load<Order::acquire, Site::handled>(&words->requests_handled);
  // sync ring.begun acquire: nothing is being executed where it is the same.
  const auto begun = mem.template load<Order::acquire, Site::begun>(&words->requests_begun);
  if (begun != handled || handled % WideRing::line != 0) return false;
  const std::uint64_t offset = handled & (capacity - 1);
  // sync ring.commit acquire: it is there, which is all that is asked.
  const auto header =
      mem.template load<Order::acquire, Site::header>(reinterpret_cast<const std::uint64_t*>(data + offset));
  if ((static_cast<std::uint32_t>(header) & record_present) == 0) return false;
  // sync wait.want_space seq_cst load: whoever waits for its caller says so, and is not blamed for what that one does.
  if (mem.template load<Order::seq_cst, Site::want_space>(&words->side.want_space) != 0) return false;
  // sync channel.state acquire: one that is closing takes no more than it likes.
  return mem.template load<Order::acquire, Site::state>(&words->side.state) ==
         static_cast<std::uint32_t>(SideState::open);
}

}  // namespace symphony::detail
