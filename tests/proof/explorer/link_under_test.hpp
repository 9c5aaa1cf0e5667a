// One epoch of a link in the model's memory: both production sides over two segments, and messages that are known.
// Layer: tests. Threads: fibers.
#pragma once

#include <array>
#include <cstdint>

#include "bus/channel/channel.hpp"
#include "tests/proof/explorer/model_mem.hpp"

namespace symphony::proof {

using detail::Poll;

class LinkUnderTest {
 public:
  using Caller = detail::CallerChannel<ModelMem>;
  using Pit = detail::PitChannel<ModelMem>;

  // `write_back`: both sides have a writable view of the other's data, as on a link to a pit that is not hostile.
  LinkUnderTest(Explorer& explorer, int caller_thread, int pit_thread, std::uint32_t capacity = 256,
                bool heavy_barriers = false, bool write_back = false)
      : geometry_{capacity, capacity, 0x1111, 0x2222, heavy_barriers},
        caller_memory_(segment(explorer, capacity, caller_thread, write_back ? pit_thread : caller_thread)),
        pit_memory_(segment(explorer, capacity, pit_thread, write_back ? caller_thread : pit_thread)),
        caller(caller_memory_, pit_memory_, geometry_, {}, write_back ? pit_memory_ + detail::data_offset : nullptr),
        pit(pit_memory_, caller_memory_, geometry_, {}, write_back ? request_data() : nullptr) {}

  [[nodiscard]] std::byte* request_data() const noexcept { return caller_memory_ + detail::data_offset; }

 private:
  // Words that its owner writes, and data that `writes_back` writes as well.
  static std::byte* segment(Explorer& explorer, std::uint32_t capacity, int owner, int writes_back) noexcept {
    const auto bit = [](int thread) { return static_cast<ThreadSet>(1u << thread); };
    std::byte* const words = explorer.allocate(detail::data_offset, bit(owner));
    std::byte* const data = explorer.allocate(capacity, static_cast<ThreadSet>(bit(owner) | bit(writes_back)));
    explorer.require(data == words + detail::data_offset, "the two parts of a segment are not neighbours");
    return words;
  }
  detail::Geometry geometry_;
  std::byte* caller_memory_;
  std::byte* pit_memory_;

 public:
  Caller caller;
  Pit pit;
};

// What a message of this id carries.
[[nodiscard]] inline std::uint64_t body_of(std::uint64_t id) noexcept { return id * 1'000'003; }

// False: the ring is full.
template <class Side>
bool try_send(Explorer& e, Side& side, std::uint64_t id, std::uint64_t& at, std::uint64_t reserve = 0) noexcept {
  const std::uint64_t body = body_of(id);
  const bool sent = side.try_send({.id = id, .type = 7}, std::as_bytes(std::span(&body, 1)), reserve, at);
  e.require(side.fault() == detail::RingFault::none, "a side found its honest peer at fault");
  return sent;
}

template <class Side>
void send(Explorer& e, Side& side, std::uint64_t id) noexcept {
  std::uint64_t at = 0;
  e.require(try_send(e, side, id, at), "no room where there must be some");
}

// The id of the next message, whose bytes are right, or 0. It is neither begun nor finished yet.
template <class Side>
std::uint64_t peek(Explorer& e, Side& side, typename Side::Record& record) noexcept {
  const Poll poll = side.try_peek(record);
  e.require(poll != Poll::fault, "a side found its honest peer at fault");
  if (poll == Poll::empty) return 0;
  const Envelope envelope = side.copy_envelope(record);
  std::uint64_t body = 0;
  e.require(Side::body_size(record) == sizeof body, "a message of another size than was sent");
  side.copy_body(record, std::as_writable_bytes(std::span(&body, 1)));
  e.require(body == body_of(envelope.id), "a message with other bytes than were sent");
  return envelope.id;
}

// Takes the next message; 0: none.
template <class Side>
std::uint64_t take(Explorer& e, Side& side) noexcept {
  typename Side::Record record;
  const std::uint64_t id = peek(e, side, record);
  if (id != 0) {
    side.finish(record);
    side.free_space(false);
  }
  return id;
}

// Announces a sleep, makes the heavy barrier that Order::light counts on (Explorer::effective), looks again by look(),
// and sleeps if there was nothing. `also`: another word that ends the sleep.
template <class Side, class Look>
void sleep_unless(Explorer& e, Side& side, Look&& look, const std::uint32_t* also = nullptr) noexcept {
  std::array<detail::WaitWord, 2> words{side.arm(), {also, 0}};
  if (e.is(Mutation::Kind::look_once) || !look()) e.futex_wait({words.data(), also == nullptr ? 1u : 2u});
  side.disarm();
}

}  // namespace symphony::proof
