// What a third party sees of a link: the request that its pit is executing.   Layer: channel (ring).
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

}  // namespace symphony::detail
