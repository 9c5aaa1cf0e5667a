// Epochs made by hand: two segments, both ends attached, no broker.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bus/endpoint/attachment.hpp"
#include "bus/endpoint/link_core.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::detail {

struct TestEpoch {
  std::unique_ptr<Attached> caller;
  std::unique_ptr<Attached> pit;
};

inline TestEpoch make_epoch(control::Epoch epoch, std::uint64_t last_id = 0, Trust trust = Trust::cooperative,
                            std::uint32_t capacity = 4096) {
  control::Own own;
  own.at = {1, 7, epoch};
  own.request_capacity = own.reply_capacity = capacity;
  own.request_salt = static_cast<std::uint32_t>(epoch * 31);
  own.reply_salt = static_cast<std::uint32_t>(epoch * 77);
  own.in_flight_max = 64;
  own.reply_size_max = largest_reply_in(capacity);
  own.trust = static_cast<std::uint8_t>(trust);
  auto pair = create_segment_pair(caller_segment_size(capacity), pit_segment_size(capacity), epoch).value();
  TestEpoch made;
  made.caller = map_own(own, pair.caller.duplicate(), Side::caller, pair.pit.duplicate()).value();
  made.pit = map_own(own, pair.pit.duplicate(), Side::pit, pair.caller.duplicate()).value();
  seal_segment(pair.caller.get()).value();
  seal_segment(pair.pit.get()).value();
  map_peer(*made.caller, reopen_read_only(pair.pit.get()).value(), Side::caller).value();
  map_peer(*made.pit, reopen_read_only(pair.caller.get()).value(), Side::pit).value();
  made.caller->last_id = last_id;
  return made;
}

// What the control thread would do, written down.
struct FakeControl : LinkControl {
  FakeControl() : guard(ForkGuard::make().value()) {}
  void report_fault(const control::Attachment& at, RingFault) noexcept override { faulted.push_back(at.epoch); }
  void close_link(control::LinkId link) noexcept override {
    const std::lock_guard lock(mutex);
    closed.push_back(link);
  }
  void report_executing(const control::Executing& m) noexcept override { executing.push_back(m); }
  void report_still(const control::StandsStill& m) noexcept override { still.push_back(m.at); }
  void park(control::Park&& letter) noexcept override {
    const std::lock_guard lock(mutex);
    parked.push_back(std::move(letter));
  }
  [[nodiscard]] result<std::unique_ptr<LinkCore>> open_alone(control::LinkId of, const LinkOptions& options,
                                                             TimeNs deadline_ns, const OpenCancel& cancel) override {
    if (on_open_alone) return on_open_alone(options, cancel);
    return LinkControl::open_alone(of, options, deadline_ns, cancel);
  }
  [[nodiscard]] const ForkGuard& fork_guard() const noexcept override { return guard; }
  std::vector<control::Park> letters() {
    const std::lock_guard lock(mutex);
    return parked;
  }
  ForkGuard guard;
  std::vector<control::Epoch> faulted;
  std::vector<control::LinkId> closed;
  std::vector<control::Executing> executing;
  std::vector<control::Attachment> still;
  std::function<result<std::unique_ptr<LinkCore>>(const LinkOptions&, const OpenCancel&)> on_open_alone;
  std::mutex mutex;  // guards closed and parked: links of instances for one message live on a thread of their own
  std::vector<control::Park> parked;
};

// A pit whose every step is the test's.
struct HandPit {
  explicit HandPit(std::unique_ptr<Attached> a)
      : attached(std::move(a)), channel(attached->own.data(), attached->peer.data(), attached->geometry) {}

  // Takes the next request as far as `begun`; its id, or 0.
  std::uint64_t begin() {
    if (channel.try_peek(record) != Poll::record) return 0;
    channel.begin(record);
    envelope = channel.copy_envelope(record);
    body.resize(PitChannel<>::body_size(record));
    channel.copy_body(record, std::as_writable_bytes(std::span(body)));
    return envelope.id;
  }
  void reply(std::string_view text, std::uint16_t flags = flag::reply) {
    std::uint64_t at = 0;
    ASSERT_TRUE(
        channel.try_send({.id = envelope.id, .type = 9, .flags = flags}, std::as_bytes(std::span(text)), 0, at));
  }
  void finish() { channel.finish(record); }
  void free() { channel.free_space(true); }
  std::uint64_t serve(std::string_view text) {
    const std::uint64_t id = begin();
    if (id != 0) {
      reply(text);
      finish();
    }
    return id;
  }

  std::unique_ptr<Attached> attached;
  PitChannel<> channel;
  PitChannel<>::Record record;
  Envelope envelope;
  std::string body;
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string text_of(const Reply& reply) {
  return {reinterpret_cast<const char*>(reply.body.data()), reply.body.size()};
}

}  // namespace symphony::detail
