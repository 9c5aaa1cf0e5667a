// The two sides of one epoch of a link, made from two segments.   Layer: channel.
//
// Segments are given as plain bytes, so that tests can put both sides on one mapping; who maps keeps the mappings alive
// longer than the side. Threads, trust: side.hpp. Format: docs/formats/segment.md.
#pragma once

#include <cstddef>

#include "bus/channel/side.hpp"

namespace symphony::detail {

// How far the pit got with the requests of one epoch; read once, after its death.
struct PitProgress {
  std::uint64_t begun = 0;
  std::uint64_t handled = 0;
};

template <class Mem = RealMem>
class CallerChannel : public ChannelSide<Mem> {
 public:
  // own: the caller's segment, writable; peer: the pit's; peer_data: the data pages of the pit's segment once more,
  // writable, where this side may write back into the replies it has finished with (R4); else null.
  CallerChannel(std::byte* own, const std::byte* peer, const Geometry& g, Mem mem = {},
                std::byte* peer_data = nullptr) noexcept
      : CallerChannel(own, peer, reinterpret_cast<CallerWords*>(own + words_offset),
                      reinterpret_cast<const PitWords*>(peer + words_offset), g, mem, peer_data) {}

  [[nodiscard]] PitProgress pit_progress() const noexcept {
    // sync ring.handled acquire: what was committed before it is in the reply ring, which has been drained.
    const auto handled = mem_.template load<Order::acquire, Site::handled>(&pit_->requests_handled);
    // sync ring.begun acquire: as handled; begun is never below it in an honest pit.
    const auto begun = mem_.template load<Order::acquire, Site::begun>(&pit_->requests_begun);
    return {begun, handled};
  }

 private:
  CallerChannel(std::byte* own, const std::byte* peer, CallerWords* mine, const PitWords* theirs, const Geometry& g,
                Mem mem, std::byte* peer_data) noexcept
      : ChannelSide<Mem>(Producer<Mem>(own + data_offset, g.request_capacity, g.request_salt,
                                       {&mine->request_tail, &theirs->requests_freed}, mem),
                         Consumer<Mem>(peer + data_offset, g.reply_capacity, g.reply_salt,
                                       {nullptr, nullptr, &mine->replies_freed}, mem, peer_data),
                         &mine->side, &theirs->side, g.heavy_barriers, mem),
        mem_(mem),
        pit_(theirs) {}

  [[no_unique_address]] Mem mem_;
  const PitWords* pit_;
};

template <class Mem = RealMem>
class PitChannel : public ChannelSide<Mem> {
 public:
  // own: the pit's segment, writable; peer: the caller's; peer_data: as the caller's, of the request ring.
  PitChannel(std::byte* own, const std::byte* peer, const Geometry& g, Mem mem = {},
             std::byte* peer_data = nullptr) noexcept
      : PitChannel(own, peer, reinterpret_cast<PitWords*>(own + words_offset),
                   reinterpret_cast<const CallerWords*>(peer + words_offset), g, mem, peer_data) {}

 private:
  PitChannel(std::byte* own, const std::byte* peer, PitWords* mine, const CallerWords* theirs, const Geometry& g,
             Mem mem, std::byte* peer_data) noexcept
      : ChannelSide<Mem>(
            Producer<Mem>(own + data_offset, g.reply_capacity, g.reply_salt,
                          {&mine->reply_tail, &theirs->replies_freed}, mem),
            Consumer<Mem>(peer + data_offset, g.request_capacity, g.request_salt,
                          {&mine->requests_begun, &mine->requests_handled, &mine->requests_freed}, mem, peer_data),
            &mine->side, &theirs->side, g.heavy_barriers, mem) {}
};

}  // namespace symphony::detail
