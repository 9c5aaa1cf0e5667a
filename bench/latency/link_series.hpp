// The kinds of round trips that bench_link compares, each with both of its sides.   Layer: bench.
//
// Every kind carries the same user data; all but the raw lines put the 24-byte envelope before it, as a link does.
//   RawPair      the limit: raw_line.hpp
//   RingPair     the ring alone: no doorbell, nobody may sleep, so a release store publishes
//   ChannelPair  a link's channel: doorbell, commits as on a default link. `eager` gives space back after each
//                message, otherwise after an eighth of the ring
// A pair is made twice, once in each process, of the same segments. Messages are numbered from 1 on both sides.
// Threads: one a process. Both trust each other.
#pragma once

#include <optional>

#include <symphony/envelope.hpp>

#include "bench/support/raw_line.hpp"
#include "bus/channel/channel.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"
#include "bus/wait/spin.hpp"

namespace symphony::bench {

inline constexpr std::uint32_t link_capacity = 64 * 1024;  // a ring; all kinds together stay in a second-level cache
inline constexpr detail::Geometry link_geometry{link_capacity, link_capacity, 0x5eed, 0xfeed,
                                                true};  // as a default link's
enum class End { caller, pit };

// Both segments of a pair, mapped by one process.
struct Area {
  detail::Mapping own;
  detail::Mapping peer;

  static result<Area> map(const detail::SegmentPair& pair, End end, detail::Access peer_access) {
    const int mine = end == End::caller ? pair.caller.get() : pair.pit.get();
    const int theirs = end == End::caller ? pair.pit.get() : pair.caller.get();
    auto own = detail::Mapping::map(mine, detail::caller_segment_size(link_capacity), detail::Access::read_write);
    if (!own) return unexpected(own.error());
    auto peer = detail::Mapping::map(theirs, detail::caller_segment_size(link_capacity), peer_access);
    if (!peer) return unexpected(peer.error());
    return Area{*std::move(own), *std::move(peer)};
  }
  [[nodiscard]] std::byte* own_data() const noexcept { return own.data() + detail::data_offset; }
  [[nodiscard]] std::byte* peer_data() const noexcept { return peer.data() + detail::data_offset; }
};

// Polls until ready(), asking give_up() seldom.
template <class Ready, class GiveUp>
[[nodiscard]] bool poll_until(Ready&& ready, GiveUp&& give_up) noexcept {
  for (;;) {
    if (detail::spin_until(ready, 0)) return true;
    if (give_up()) return false;
  }
}

template <std::size_t size>
using Body = std::array<std::uint64_t, size / sizeof(std::uint64_t)>;

template <std::size_t size>
[[nodiscard]] Body<size> body_of(std::uint64_t number) noexcept {
  Body<size> body;
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = number + i;
  return body;
}

template <std::size_t size>
class RawPair {
 public:
  RawPair(const Area& area, End) noexcept : line_(area.own_data(), area.peer_data(), link_capacity) {}
  template <class GiveUp>
  bool call(GiveUp&& give_up) noexcept {
    return line_.round_trip(++number_, give_up);
  }
  template <class GiveUp>
  bool serve(GiveUp&& give_up) noexcept {
    return line_.answer(++number_, give_up);
  }

 private:
  RawLine<size> line_;
  std::uint64_t number_ = 0;
};

template <std::size_t size>
class RingPair {
 public:
  RingPair(const Area& area, End end) noexcept
      : out_(area.own_data(), link_capacity, salt_of(end), {word(area.own, 0), word(area.peer, 1)}),
        in_(area.peer_data(), link_capacity, salt_of(end == End::caller ? End::pit : End::caller),
            {nullptr, nullptr, word(area.own, 1)}) {}

  template <class GiveUp>
  bool call(GiveUp&& give_up) noexcept {
    Message message{{.id = ++number_, .flags = flag::request}, body_of<size>(number_)};
    return send(message) && poll_until([&] { return take(message); }, give_up) &&
           message.body == body_of<size>(number_);
  }
  template <class GiveUp>
  bool serve(GiveUp&& give_up) noexcept {
    Message message;
    if (!poll_until([&] { return take(message); }, give_up)) return false;
    message.envelope = {.id = message.envelope.id, .flags = flag::reply};
    return send(message);
  }

 private:
  struct Message {
    Envelope envelope;
    Body<size> body;
  };
  static constexpr std::uint32_t salt_of(End end) noexcept { return end == End::caller ? 0x5eed : 0xfeed; }
  static std::uint64_t* word(const detail::Mapping& segment, std::size_t line) noexcept {
    return reinterpret_cast<std::uint64_t*>(segment.data() + detail::words_offset + line * detail::cache_line_size);
  }
  bool send(const Message& message) noexcept {
    auto claim = out_.try_claim(sizeof message);
    if (!claim) return false;
    detail::RealMem::copy_in(claim.bytes().data(), &message, sizeof message);
    // sync ring.commit release: nobody sleeps here.
    (void)out_.template commit<detail::Order::release>(std::move(claim), sizeof message);
    return true;
  }
  bool take(Message& message) noexcept {
    typename detail::Consumer<detail::RealMem>::Record record;
    if (in_.try_peek(record) != detail::Poll::record) return false;
    detail::RealMem::copy_out(&message, record.bytes.data(), sizeof message);
    in_.finish(record);
    if (in_.frees_soon()) in_.free();
    return true;
  }

  detail::Producer<detail::RealMem> out_;
  detail::Consumer<detail::RealMem> in_;
  std::uint64_t number_ = 0;
};

template <std::size_t size, bool eager>
class ChannelPair {
 public:
  ChannelPair(const Area& area, End end) noexcept {
    if (end == End::caller) {
      caller_.emplace(area.own.data(), area.peer.data(), link_geometry);
    } else {
      pit_.emplace(area.own.data(), area.peer.data(), link_geometry);
    }
  }

  template <class GiveUp>
  bool call(GiveUp&& give_up) noexcept {
    Body<size> body = body_of<size>(++number_);
    std::uint64_t at = 0;
    if (!caller_->try_send({.id = number_, .flags = flag::request}, std::as_bytes(std::span(body)), 0, at))
      return false;
    detail::CallerChannel<>::Record record;
    if (!poll_until([&] { return caller_->try_peek(record) == detail::Poll::record; }, give_up)) return false;
    const Envelope envelope = caller_->copy_envelope(record);
    (void)caller_->copy_body(record, std::as_writable_bytes(std::span(body)));
    caller_->finish(record);
    caller_->free_space(eager);
    return envelope.id == number_ && body == body_of<size>(number_);
  }
  template <class GiveUp>
  bool serve(GiveUp&& give_up) noexcept {
    detail::PitChannel<>::Record record;
    if (!poll_until([&] { return pit_->try_peek(record) == detail::Poll::record; }, give_up)) return false;
    const Envelope envelope = pit_->copy_envelope(record);
    pit_->begin(record);
    Body<size> body;
    (void)pit_->copy_body(record, std::as_writable_bytes(std::span(body)));
    std::uint64_t at = 0;
    if (!pit_->try_send({.id = envelope.id, .flags = flag::reply}, std::as_bytes(std::span(body)), 0, at)) return false;
    pit_->finish(record);
    pit_->free_space(eager);
    return true;
  }

 private:
  std::optional<detail::CallerChannel<>> caller_;
  std::optional<detail::PitChannel<>> pit_;
  std::uint64_t number_ = 0;
};

}  // namespace symphony::bench
