// A whole side of a link against a peer that lies in every word of its segment.   Layer: tests.
// Threads: one. What a session is: ring_sessions.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "bus/channel/channel.hpp"
#include "tests/proof/hostile/expected.hpp"
#include "tests/proof/hostile/ring_sessions.hpp"

namespace symphony::hostile {

// Whoever wakes is judged by the session that runs.
inline Watch* waking = nullptr;

template <class Channel>
class ChannelSession {
  static constexpr bool is_pit = std::is_same_v<Channel, detail::PitChannel<HostileMem>>;
  static constexpr std::size_t segment_size = detail::data_offset + capacity_max;
  struct alignas(4096) Segment {
    std::array<std::byte, segment_size> bytes{};
  };

 public:
  ChannelSession(FuzzBytes& bytes, Tally& tally, Segment& own, Segment& peer)
      : bytes_(bytes),
        tally_(tally),
        own_(own),
        peer_(peer),
        capacity_out_(std::uint32_t{256} << bytes.below(4)),
        expected_{std::uint64_t{256} << bytes.below(4), static_cast<std::uint32_t>(bytes.take(4))},
        watch_(bytes, {&own, detail::data_offset + capacity_out_},
               {&peer, detail::data_offset + static_cast<std::size_t>(expected_.capacity)}),
        channel_(own.bytes.data(), peer.bytes.data(), geometry(), HostileMem{&watch_},
                 writes_back() ? view_.data() : nullptr) {
    if (writes_back()) watch_.write_back_view({view_.data(), static_cast<std::size_t>(expected_.capacity)});
    watch_.guard({own.bytes.data() + detail::data_offset, capacity_out_});
    watch_.answers.ring(peer.bytes.data() + detail::data_offset, expected_.capacity, expected_.salt, sizeof(Envelope));
    watch_.destination({copy_.data(), body_size_max()});
    waking = &watch_;
  }

  static const char* run_until_empty(FuzzBytes& bytes, Tally& tally) {
    static Segment own, peer;
    do {
      own = {};
      if (const char* wrong = ChannelSession(bytes, tally, own, peer).run()) return wrong;
    } while (!bytes.empty());
    return nullptr;
  }

  const char* run() {
    ++tally_.rings;
    for (int left = operations_per_ring; left > 0 && !bytes_.empty(); --left) {
      watch_.begin_call();
      const char* wrong = operate();
      if (wrong == nullptr) wrong = judge();
      if (wrong == nullptr) wrong = watch_.violation();
      if (wrong != nullptr) return wrong;
      if (faulted_ && left > operations_after_fault) {
        ++tally_.faults;
        left = operations_after_fault;
      }
    }
    tally_.reads += watch_.reads();
    tally_.written_back += watch_.written_back();
    return nullptr;
  }

 private:
  // Half of the links, by a number that the input gives anyway.
  [[nodiscard]] bool writes_back() const noexcept { return expected_.salt / 2 % 2 != 0; }
  [[nodiscard]] std::size_t body_size_max() const { return expected_.capacity / 2 - 8 - sizeof(Envelope); }
  [[nodiscard]] detail::Geometry geometry() const {
    const auto in = static_cast<std::uint32_t>(expected_.capacity);
    const bool heavy_barriers = expected_.salt % 2 != 0;
    return is_pit ? detail::Geometry{in, capacity_out_, expected_.salt, 7, heavy_barriers}
                  : detail::Geometry{capacity_out_, in, 7, expected_.salt, heavy_barriers};
  }

  const char* operate() {
    switch (bytes_.byte() % 24) {
      case 0:
        channel_.free_space(true);
        return freed_now(true);
      case 1:
        channel_.free_space(false);
        return freed_now(false);
      case 2:
        (void)channel_.arm();
        return nullptr;
      case 3:
        channel_.disarm();
        return nullptr;
      case 4:
        (void)channel_.look_again();
        return nullptr;
      case 5:
        channel_.want_space(bytes_.byte() % 2 != 0);
        return nullptr;
      case 6:
        channel_.look_again_for_space();
        return nullptr;
      case 7:
        channel_.set_state(detail::SideState::closing);
        return nullptr;
      case 8:
        if (static_cast<std::uint32_t>(channel_.peer_state()) > 2) return "a state that is none";
        return nullptr;
      case 9:
        if constexpr (!is_pit) (void)channel_.pit_progress();
        return nullptr;
      case 10:
        (void)channel_.try_claim(bytes_.below(300), std::uint64_t{64} * bytes_.below(4));
        return nullptr;
      case 11:
        (void)channel_.has_room(static_cast<std::uint32_t>(bytes_.take(4)));
        return nullptr;
      case 12:
      case 13:
      case 14:
      case 15:
      case 16:
        return send(bytes_.below(bytes_.byte() % 4 == 0 ? 1100 : 100), bytes_.byte() % 2 == 0);
      default:
        return receive(bytes_.byte());
    }
  }

  const char* send(std::uint32_t size, bool whole) {
    const Envelope envelope{.id = 1};
    std::uint64_t position = 0;
    if (whole) {
      if (!channel_.try_send(envelope, std::span(copy_).first(size), 0, position)) return nullptr;
    } else {
      auto claim = channel_.try_claim(size);
      if (!claim) return nullptr;
      size = bytes_.below(size + 1);
      position = channel_.commit(std::move(claim), envelope, size);
    }
    if (watch_.answers.lied_about_freed()) return "a message sent on a faulted ring";
    watch_.staged(position + format::stride(size + sizeof envelope));
    ++tally_.moved;
    return nullptr;
  }

  const char* receive(std::uint8_t kind) {
    typename Channel::Record record;
    watch_.write_back_window(expected_.freed, finished_);
    const Poll poll = channel_.try_peek(record);
    auto wanted = expected_.next(watch_.answers);
    if (wanted.poll == Poll::record && wanted.size < sizeof(Envelope)) {
      wanted.poll = Poll::fault;
      expected_.fault = RingFault::bad_size;
    }
    const std::byte* const ring = peer_.bytes.data() + detail::data_offset;
    if (const char* wrong = compare(wanted, poll, record, watch_, ring, expected_)) return wrong;
    if (poll != Poll::record || kind % 8 == 0) return nullptr;
    (void)channel_.copy_envelope(record);
    if (Channel::body_size(record) > body_size_max()) return "a message larger than any can be";
    (void)channel_.copy_body(record, copy_);
    if constexpr (is_pit) channel_.begin(record);
    if (kind % 8 == 1) return nullptr;  // looked at again
    channel_.finish(record);
    finished_ = expected_.head = record.end;
    ++tally_.moved;
    return nullptr;
  }

  // free_space() may have given back what is finished, and must have where that was sure.
  const char* freed_now(bool idle) {
    const std::uint64_t held = expected_.head - expected_.freed;
    const std::uint64_t word = *reinterpret_cast<const std::uint64_t*>(own_.bytes.data() + freed_word());
    if (word == expected_.head) finished_ = expected_.freed = word;
    if (word != expected_.freed) return "freed something else than what is finished";
    if (word != expected_.head && (idle || held >= expected_.capacity / 8)) return "space that was not given back";
    return nullptr;
  }
  static constexpr std::size_t freed_word() {
    return detail::words_offset +
           (is_pit ? offsetof(detail::PitWords, requests_freed) : offsetof(detail::CallerWords, replies_freed));
  }

  const char* judge() {
    const PeerAnswers& answers = watch_.answers;
    const bool lied = answers.lied_about_freed() || expected_.fault != RingFault::none;
    if (answers.asked_after_lie()) return "freed was read after a lie";
    if ((channel_.fault() != RingFault::none) != lied) return "a fault that is none, or was forgotten";
    faulted_ = lied;
    if (channel_.out().freed() != answers.freed_so_far()) return "another freed than was answered";
    return nullptr;
  }

  FuzzBytes& bytes_;
  Tally& tally_;
  Segment& own_;
  Segment& peer_;
  std::uint32_t capacity_out_;
  ExpectedConsumer expected_;
  std::uint64_t finished_ = 0;                              // as far as records, not pads, are done
  alignas(64) std::array<std::byte, capacity_max> view_{};  // of the peer's data, writable
  std::array<std::byte, capacity_max> copy_{};
  Watch watch_;
  Channel channel_;
  bool faulted_ = false;
};

}  // namespace symphony::hostile
