// What the two sides of a channel have in common: an outgoing ring, an incoming ring, a doorbell, a state word.
// Layer: channel (ring, wait and memory meet here).
//
// A publishing store is seq_cst, because the peer may sleep; then the doorbell is rung if it does. On links whose sides
// both make a heavy barrier before they sleep it is light instead, and no locked instruction stands on the path.
// Threads: the thread that owns this side. Trust: see ring; every peer word is read once and checked or harmless.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include <symphony/envelope.hpp>

#include "bus/channel/layout.hpp"
#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"
#include "bus/wait/doorbell.hpp"

namespace symphony::detail {

// The envelope's bytes, put together in registers. From where its fields were stored one by one they would be loaded
// wider than they were stored; such a load waits until every store before it has reached the cache, and among them are
// those of the payload, whose lines are still on their way.
[[nodiscard]] constexpr std::array<std::uint64_t, 3> words_of(const Envelope& e) noexcept {
  return {e.id, e.deadline_ns,
          std::uint64_t{e.type} | std::uint64_t{e.flags} << 32 | std::uint64_t{e.attempt} << 48 |
              std::uint64_t{e.reserved} << 56};
}
static_assert(words_of({1, 2, 3, 4, 5, 6}) == std::bit_cast<std::array<std::uint64_t, 3>>(Envelope{1, 2, 3, 4, 5, 6}));

template <class Mem>
class ChannelSide {
 public:
  using Out = Producer<Mem>;
  using In = Consumer<Mem>;
  using Position = typename Out::Position;

  ChannelSide(Out out, In in, SideWords* own, const SideWords* peer, bool heavy_barriers, Mem mem = {}) noexcept
      : mem_(mem),
        out_(out),
        in_(in),
        own_(own),
        peer_(peer),
        heavy_barriers_(heavy_barriers),
        doorbell_({&own->sleeping, &own->bell, &peer->sleeping, &peer->bell}, mem) {}

  // ---- outgoing

  // Room for an envelope and `body_size` bytes; empty when the ring is full. `reserve` bytes stay free besides.
  [[nodiscard]] typename Out::Claim try_claim(std::uint32_t body_size, Position reserve = 0) noexcept {
    if (body_size > message_size_max()) return {};
    return out_.try_claim(body_size + static_cast<std::uint32_t>(sizeof(Envelope)), reserve);
  }
  // Whether try_claim() would give a claim now; claims nothing.
  [[nodiscard]] bool has_room(std::uint32_t body_size, Position reserve = 0) noexcept {
    return body_size <= message_size_max() &&
           out_.has_room(body_size + static_cast<std::uint32_t>(sizeof(Envelope)), reserve);
  }
  [[nodiscard]] static std::span<std::byte> body_of(const typename Out::Claim& claim) noexcept {
    return claim.bytes().subspan(sizeof(Envelope));
  }
  // Publishes envelope and the first body_size bytes of the claim's body; wakes the peer if it sleeps. Returns the
  // position.
  Position commit(typename Out::Claim&& claim, const Envelope& envelope, std::uint32_t body_size) noexcept {
    const auto words = words_of(envelope);
    mem_.copy_in(claim.bytes().data(), words.data(), sizeof words);
    const auto size = body_size + static_cast<std::uint32_t>(sizeof envelope);
    return ordered([&]<Order order>() {
      // sync ring.commit release: ordered before the look for a sleeper (doorbell).
      const Position at = out_.template commit<order>(std::move(claim), size);
      doorbell_.template ring_if_sleeping<order>();
      return at;
    });
  }
  // Between begin_batch and publish_batch messages are kept back; publishing shows them all at once.
  void begin_batch() noexcept { out_.begin_batch(); }
  void publish_batch() noexcept {
    ordered([&]<Order order>() {
      // sync ring.commit release: as in commit().
      out_.template publish_batch<order>();
      doorbell_.template ring_if_sleeping<order>();
    });
  }
  // Copies a whole message. False: the ring is full (or the message larger than message_size_max()).
  [[nodiscard]] bool try_send(const Envelope& envelope, std::span<const std::byte> body, Position reserve,
                              Position& at) noexcept {
    if (body.size() > message_size_max()) return false;
    auto claim = try_claim(static_cast<std::uint32_t>(body.size()), reserve);
    if (!claim) return false;
    if (!body.empty()) mem_.copy_in(body_of(claim).data(), body.data(), body.size());
    at = commit(std::move(claim), envelope, static_cast<std::uint32_t>(body.size()));
    return true;
  }
  // The largest body that a message of this side can have.
  [[nodiscard]] std::uint32_t message_size_max() const noexcept {
    return static_cast<std::uint32_t>(record_size_max<WideRing>(out_.capacity()) - sizeof(Envelope));
  }

  // ---- incoming

  using Record = typename In::Record;
  // Whether try_peek() is worth a call, for who polls: one load.
  [[nodiscard]] bool glance() const noexcept { return in_.glance(); }
  [[nodiscard]] Poll try_peek(Record& record) noexcept {
    if (fault_ != RingFault::none) return Poll::fault;  // for good, as the ring's own
    const Poll poll = in_.try_peek(record);
    if (poll == Poll::record && record.bytes.size() < sizeof(Envelope)) {
      fault_ = RingFault::bad_size;
      return Poll::fault;
    }
    return poll;
  }
  // The envelope, and the body, each copied once out of the peer's reach: nothing of a record is read twice.
  [[nodiscard]] Envelope copy_envelope(const Record& record) const noexcept {
    Envelope envelope;
    mem_.copy_out(&envelope, record.bytes.data(), sizeof envelope);
    return envelope;
  }
  [[nodiscard]] static std::size_t body_size(const Record& record) noexcept {
    return record.bytes.size() - sizeof(Envelope);
  }
  // Precondition: `into` holds body_size(record) bytes. Returns what was filled.
  std::span<const std::byte> copy_body(const Record& record, std::span<std::byte> into) const noexcept {
    const std::size_t size = body_size(record);
    if (size != 0) mem_.copy_out(into.data(), record.bytes.data() + sizeof(Envelope), size);
    return into.first(size);
  }
  void begin(const Record& record) noexcept { in_.begin(record); }
  void finish(const Record& record) noexcept { in_.finish(record); }

  // Gives space back when an eighth of the ring is held, or the peer waits for it; `idle`: anything that is held.
  void free_space(bool idle) noexcept {
    if (in_.held() == 0) return;
    if (!idle && !in_.frees_soon() && !peer_wants_space()) return;
    ordered([&]<Order order>() {
      // sync ring.freed release: ordered before the look at what the peer wants; it may be about to sleep for space.
      in_.template free<order>();
      // sync wait.want_space seq_cst load: ordered after freed; the peer's look at freed is ordered after its flag.
      const auto wanted = mem_.template load<order, Site::want_space>(&peer_->want_space);
      if (wanted != 0) doorbell_.template ring_if_sleeping<order>();
    });
  }

  // ---- sleeping (S1): arm(), heavy_barrier() where the link has them, look_again(), wait_any, disarm()

  // Whether this side must make a heavy barrier between arm() and look_again().
  [[nodiscard]] bool needs_heavy_barrier() const noexcept { return heavy_barriers_; }

  [[nodiscard]] WaitWord arm() noexcept { return doorbell_.arm(); }
  // True: something came while arming, do not sleep.
  [[nodiscard]] bool look_again() const noexcept {
    // sync ring.commit acquire: seq_cst, ordered after our sleeping flag (doorbell).
    return in_.template has_next<Order::seq_cst>();
  }
  void disarm() noexcept { doorbell_.disarm(); }
  [[nodiscard]] std::uint64_t wakes_sent() const noexcept { return doorbell_.wakes_sent(); }
  [[nodiscard]] std::uint64_t wakes_needed() const noexcept { return doorbell_.wakes_needed(); }

  // While true the peer frees early and rings for it.
  void want_space(bool wanted) noexcept {
    // sync wait.want_space seq_cst store: ordered before our next look at freed.
    mem_.template store<Order::seq_cst, Site::want_space>(&own_->want_space, std::uint32_t{wanted ? 1u : 0u});
  }

  // To be called between arm() and sleeping for space, before trying to claim once more.
  void look_again_for_space() noexcept {
    // sync ring.freed acquire: seq_cst, ordered after our want_space and sleeping flags.
    (void)out_.template refresh_freed<Order::seq_cst>();
  }

  // ---- state

  void set_state(SideState state) noexcept {
    // sync channel.state seq_cst store: after the last commit of this side; the peer may be about to sleep.
    mem_.template store<Order::seq_cst, Site::state>(&own_->state, static_cast<std::uint32_t>(state));
    doorbell_.ring_if_sleeping();
  }
  // Any number but the three known ones counts as open.
  [[nodiscard]] SideState peer_state() const noexcept {
    // sync channel.state seq_cst load: everything the peer committed before it is visible.
    const auto raw = mem_.template load<Order::seq_cst, Site::state>(&peer_->state);
    return raw == 1 ? SideState::closing : raw == 2 ? SideState::closed : SideState::open;
  }

  [[nodiscard]] RingFault fault() const noexcept {
    if (fault_ != RingFault::none) return fault_;
    return in_.fault() != RingFault::none ? in_.fault() : out_.fault();
  }
  [[nodiscard]] Out& out() noexcept { return out_; }
  [[nodiscard]] const Out& out() const noexcept { return out_; }

 private:
  // Calls f with the order of a store that the peer may sleep for, and of the load behind it that asks whether it does:
  // seq_cst, or light where sleepers make a heavy barrier.
  template <class F>
  decltype(auto) ordered(F&& f) noexcept {
    // order policy: chosen for both sides of a link when it is attached.
    return heavy_barriers_ ? f.template operator()<Order::light>() : f.template operator()<Order::seq_cst>();
  }

  [[nodiscard]] bool peer_wants_space() const noexcept {
    // relaxed: seen late, the peer is served when this side is next idle.
    return mem_.template load<Order::relaxed, Site::want_space>(&peer_->want_space) != 0;
  }

  [[no_unique_address]] Mem mem_;
  Out out_;
  In in_;
  SideWords* own_;
  const SideWords* peer_;
  bool heavy_barriers_;
  Doorbell<Mem, Order, Site> doorbell_;
  RingFault fault_ = RingFault::none;
};

}  // namespace symphony::detail
