// The link whose bytes docs/formats/segment.md and docs/formats/ring.md show: both segments after a known history.
// The history is told in segment.md; who changes it here changes the two documents.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>

#include <symphony/envelope.hpp>
#include <symphony/type_id.hpp>

#include "bus/channel/channel.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::docs {

class LinkSample {
 public:
  static constexpr detail::Geometry geometry{4096, 8192, 0x5eed0001, 0x5eed0002};
  static constexpr std::uint64_t nonce = 0x1122334455667788;

  LinkSample() : LinkSample(detail::create_segment_pair(caller_size, pit_size, nonce).value()) { run(); }

  [[nodiscard]] std::span<const std::byte> caller() const { return {caller_memory_.data(), caller_size}; }
  [[nodiscard]] std::span<const std::byte> pit() const { return {pit_memory_.data(), pit_size}; }

 private:
  static constexpr std::uint64_t caller_size = detail::caller_segment_size(geometry.request_capacity);
  static constexpr std::uint64_t pit_size = detail::pit_segment_size(geometry.reply_capacity);
  using Access = detail::Access;

  explicit LinkSample(const detail::SegmentPair& pair)
      : caller_memory_(detail::Mapping::map(pair.caller.get(), caller_size, Access::read_write).value()),
        pit_memory_(detail::Mapping::map(pair.pit.get(), pit_size, Access::read_write).value()) {}

  template <class Side>
  static bool send(Side& side, const Envelope& envelope, std::string_view body) {
    std::uint64_t at = 0;
    return side.try_send(envelope, std::as_bytes(std::span(body)), 0, at);
  }

  void run() {
    constexpr std::uint64_t deadline_ns = 30'000'000'000;
    detail::CallerChannel<> caller(caller_memory_.data(), pit_memory_.data(), geometry);
    detail::PitChannel<> pit(pit_memory_.data(), caller_memory_.data(), geometry);
    typename detail::PitChannel<>::Record request;
    typename detail::CallerChannel<>::Record reply;
    constexpr std::uint32_t hello = type_id("greeter.Hello"), greeting = type_id("greeter.Greeting");

    (void)pit.arm();
    ok_ &= send(caller, {.id = 1, .deadline_ns = deadline_ns, .type = hello, .flags = flag::request}, "world");
    pit.disarm();

    ok_ &= pit.try_peek(request) == detail::Poll::record;
    pit.begin(request);
    ok_ &= send(pit, {.id = 1, .type = greeting, .flags = flag::reply}, "Hello, world!");
    pit.finish(request);
    pit.free_space(true);

    ok_ &= caller.try_peek(reply) == detail::Poll::record;
    caller.finish(reply);
    caller.free_space(true);

    ok_ &= send(caller, {.id = 2, .deadline_ns = deadline_ns, .type = hello, .flags = flag::request}, "again");
    ok_ &= pit.try_peek(request) == detail::Poll::record;
    pit.begin(request);
    caller.want_space(true);
    (void)caller.arm();
    caller.set_state(detail::SideState::closing);
    if (!ok_) throw std::runtime_error("the sample link did not do what its history says");
  }

  detail::Mapping caller_memory_;
  detail::Mapping pit_memory_;
  bool ok_ = true;
};

}  // namespace symphony::docs
