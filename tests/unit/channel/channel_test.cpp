#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <thread>

#include "bus/channel/channel.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"
#include "bus/wait/spin.hpp"

namespace symphony::detail {
namespace {

constexpr Geometry geometry{4096, 8192, 0x1111, 0x2222};

// Both segments mapped writable; made before the seal, as the two sides do.
struct Link {
  Link() {
    auto made = create_segment_pair(caller_segment_size(geometry.request_capacity),
                                    pit_segment_size(geometry.reply_capacity), 7);
    pair = *std::move(made);
    caller_memory =
        *Mapping::map(pair.caller.get(), caller_segment_size(geometry.request_capacity), Access::read_write);
    pit_memory = *Mapping::map(pair.pit.get(), pit_segment_size(geometry.reply_capacity), Access::read_write);
  }
  CallerChannel<> caller() { return {caller_memory.data(), pit_memory.data(), geometry}; }
  PitChannel<> pit(bool writes_back = false) {
    return {pit_memory.data(),
            caller_memory.data(),
            geometry,
            {},
            writes_back ? caller_memory.data() + data_offset : nullptr};
  }
  SegmentPair pair;
  Mapping caller_memory, pit_memory;
};

Envelope request(std::uint64_t id) { return {.id = id, .type = 5, .flags = flag::request}; }

template <class Side>
bool send(Side& side, const Envelope& envelope, std::string_view text, std::uint64_t reserve = 0) {
  std::uint64_t at = 0;
  return side.try_send(envelope, std::as_bytes(std::span(text)), reserve, at);
}

// The next message with its text, given back at once; id 0: nothing there.
template <class Side>
std::pair<std::uint64_t, std::string> take(Side& side) {
  typename Side::Record record;
  if (side.try_peek(record) != Poll::record) return {};
  alignas(64) std::array<std::byte, 8192> buffer;
  const Envelope envelope = side.copy_envelope(record);
  const auto body = side.copy_body(record, buffer);
  side.finish(record);
  side.free_space(true);
  return {envelope.id, {reinterpret_cast<const char*>(body.data()), body.size()}};
}

TEST(Channel, CarriesRequestsOneWayAndRepliesTheOther) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  ASSERT_TRUE(send(caller, request(1), "ask"));
  EXPECT_EQ(take(pit), (std::pair<std::uint64_t, std::string>{1, "ask"}));
  ASSERT_TRUE(send(pit, request(1), "answer"));
  EXPECT_EQ(take(caller), (std::pair<std::uint64_t, std::string>{1, "answer"}));
}

TEST(Channel, AnEnvelopeAndThirtyTwoBytesShareOneCacheLine) {
  Link link;
  auto caller = link.caller();
  ASSERT_TRUE(send(caller, request(1), std::string(32, 'x')));
  EXPECT_EQ(caller.out().published(), 64u);
}

TEST(Channel, ARequestCanBeReadAgainFromTheCallersOwnSegment) {
  Link link;
  auto caller = link.caller();
  std::uint64_t at = 99;
  const std::string text = "again";
  ASSERT_TRUE(caller.try_send(request(3), std::as_bytes(std::span(text)), 0, at));
  const auto bytes = caller.out().record_at(at, sizeof(Envelope) + 5);
  EXPECT_EQ(std::memcmp(bytes.data() + sizeof(Envelope), "again", 5), 0);
}

TEST(Channel, SaysHowFarThePitGot) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  send(caller, request(1), "a");
  send(caller, request(2), "b");
  PitChannel<>::Record record;
  ASSERT_EQ(pit.try_peek(record), Poll::record);
  pit.begin(record);
  EXPECT_EQ(caller.pit_progress().begun, 64u);
  EXPECT_EQ(caller.pit_progress().handled, 0u);
  pit.finish(record);
  EXPECT_EQ(caller.pit_progress().handled, 64u);
}

TEST(Channel, AMessageLargerThanTheMaximumIsRefusedAndTheMaximumFits) {
  Link link;
  auto caller = link.caller();
  const auto max = caller.message_size_max();
  EXPECT_EQ(max, 4096u / 2 - 8 - 24);
  EXPECT_FALSE(send(caller, request(1), std::string(max + 1, 'x')));
  EXPECT_TRUE(send(caller, request(1), std::string(max, 'x')));
}

TEST(Channel, AMessageOfNoBytesIsOneAndSizesThatOverflowAreRefused) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  ASSERT_TRUE(send(caller, request(1), ""));
  EXPECT_EQ(take(pit), (std::pair<std::uint64_t, std::string>{1, ""}));
  for (const std::uint32_t size : {caller.message_size_max() + 1, ~std::uint32_t{0} - 8, ~std::uint32_t{0}}) {
    EXPECT_FALSE(caller.try_claim(size)) << size;
    EXPECT_FALSE(caller.has_room(size)) << size;
  }
  EXPECT_EQ(caller.fault(), RingFault::none);
}

// Either side dies between try_claim() and commit(), in a process of its own and by SIGKILL.
TEST(Channel, OfAPeerThatVanishesWithAClaimNothingIsSeenAndTheOtherSideGoesOn) {
  for (const bool pit_vanishes : {true, false}) {
    Link link;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto vanish = [](auto side) {
        (void)send(side, request(1), "whole");
        const auto claim = side.try_claim(side.message_size_max());
        std::memset(side.body_of(claim).data(), 0xff, side.message_size_max());
        ::kill(::getpid(), SIGKILL);
      };
      auto own = Mapping::map(link.pair.pit.get(), pit_segment_size(8192), Access::read_write);
      auto peer = Mapping::map(link.pair.caller.get(), caller_segment_size(4096), Access::read_write);
      if (pit_vanishes) vanish(PitChannel<>(own->data(), peer->data(), geometry));
      vanish(CallerChannel<>(peer->data(), own->data(), geometry));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto left = [](auto side) {
      EXPECT_EQ(take(side), (std::pair<std::uint64_t, std::string>{1, "whole"}));
      EXPECT_EQ(take(side).first, 0u);
      EXPECT_EQ(side.fault(), RingFault::none);
      EXPECT_TRUE(send(side, request(2), "nobody reads it"));
    };
    if (pit_vanishes) {
      left(link.caller());
    } else {
      left(link.pit());
    }
  }
}

TEST(Channel, ARecordTooShortForAnEnvelopeIsAPeerFault) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  auto claim = caller.out().try_claim(8);
  auto& header = *reinterpret_cast<std::uint64_t*>(claim.bytes().data() - header_size);
  caller.out().commit(std::move(claim), 8);
  PitChannel<>::Record record;
  EXPECT_EQ(pit.try_peek(record), Poll::fault);
  EXPECT_EQ(pit.fault(), RingFault::bad_size);
  header = encode_header<WideRing>(0, 40, false, geometry.request_salt);
  EXPECT_EQ(pit.try_peek(record), Poll::fault) << "for good, whatever stands there now";
}

TEST(Channel, TheOtherSideLearnsOfAClose) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  EXPECT_EQ(pit.peer_state(), SideState::open);
  caller.set_state(SideState::closing);
  EXPECT_EQ(pit.peer_state(), SideState::closing);
  pit.set_state(SideState::closed);
  EXPECT_EQ(caller.peer_state(), SideState::closed);
}

TEST(Channel, APitWritesBackWhatItHandledOnlyWhereItWasGivenAWritableView) {
  for (const bool writable : {false, true}) {
    Link link;
    auto caller = link.caller();
    auto pit = link.pit(writable);
    ASSERT_TRUE(send(caller, request(1), "first"));
    ASSERT_TRUE(send(caller, request(2), "second"));
    const auto header = [&] {
      std::uint64_t word = 0;
      std::memcpy(&word, caller.out().record_at(0, 8).data() - header_size, sizeof word);
      return word;
    };
    PitChannel<>::Record record;
    ASSERT_EQ(pit.try_peek(record), Poll::record);
    pit.begin(record);
    pit.finish(record);
    ASSERT_NE(header(), 0U);
    ASSERT_EQ(pit.try_peek(record), Poll::record);
    EXPECT_EQ(header() == 0, writable);
  }
}

TEST(Channel, ABatchIsSeenWholeOrNotAtAll) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  caller.begin_batch();
  ASSERT_TRUE(send(caller, request(1), "one"));
  ASSERT_TRUE(send(caller, request(2), "two"));
  PitChannel<>::Record record;
  EXPECT_EQ(pit.try_peek(record), Poll::empty);
  caller.publish_batch();
  EXPECT_EQ(take(pit), (std::pair<std::uint64_t, std::string>{1, "one"}));
  EXPECT_EQ(take(pit), (std::pair<std::uint64_t, std::string>{2, "two"}));
}

TEST(Channel, SpaceIsFreedEarlyForAPeerThatWaitsForIt) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  send(caller, request(1), "a");
  PitChannel<>::Record record;
  ASSERT_EQ(pit.try_peek(record), Poll::record);
  pit.finish(record);
  pit.free_space(false);
  EXPECT_FALSE(caller.out().is_drained()) << "an eighth of the ring is not yet held";
  caller.want_space(true);
  pit.free_space(false);
  EXPECT_TRUE(caller.out().is_drained());
}

// A pit that echoes, in the manner of the runtime: spin a little, then sleep.
template <class Stop>
void echo(PitChannel<>& pit, Stop&& stop) {
  alignas(64) std::array<std::byte, 4096> buffer;
  while (!stop()) {
    PitChannel<>::Record record;
    Poll poll = pit.try_peek(record);
    if (poll == Poll::empty) {
      pit.free_space(true);
      const WaitWord word = pit.arm();
      if (!pit.look_again() && !stop()) (void)wait_any({&word, 1}, deadline_after(50 * ms_ns));
      pit.disarm();
      continue;
    }
    ASSERT_EQ(poll, Poll::record);
    pit.begin(record);
    const Envelope envelope = pit.copy_envelope(record);
    std::uint64_t at = 0;
    ASSERT_TRUE(pit.try_send(envelope, pit.copy_body(record, buffer), 0, at));
    pit.finish(record);
    pit.free_space(false);
  }
}

void call_many(CallerChannel<>& caller, std::uint64_t count) {
  alignas(64) std::array<std::byte, 8192> buffer;
  for (std::uint64_t id = 1; id <= count; ++id) {
    const std::string text(id % 600, static_cast<char>('a' + id % 26));
    ASSERT_TRUE(send(caller, request(id), text));
    CallerChannel<>::Record record;
    while (caller.try_peek(record) == Poll::empty) {
      if (id % 3 == 0) continue;  // spins
      const WaitWord word = caller.arm();
      if (!caller.look_again()) {
        ASSERT_EQ(wait_any({&word, 1}, deadline_after(60 * second_ns)), Wakeup::woken);
      }
      caller.disarm();
    }
    ASSERT_EQ(caller.copy_envelope(record).id, id);
    const auto body = caller.copy_body(record, buffer);
    ASSERT_EQ(std::string_view(reinterpret_cast<const char*>(body.data()), body.size()), text);
    caller.finish(record);
    caller.free_space(false);
  }
}

// One mapping, two threads: what ThreadSanitizer can follow.
TEST(Channel, TwoThreadsCallThroughSpinningAndSleeping) {
  Link link;
  auto caller = link.caller();
  auto pit = link.pit();
  std::thread runtime([&] { echo(pit, [&] { return pit.peer_state() != SideState::open; }); });
  call_many(caller, 6000);
  caller.set_state(SideState::closing);
  runtime.join();
}

// Two processes in truth, each with its own mapping, the other's read-only and sealed.
TEST(Channel, TwoProcessesCallThroughSpinningAndSleeping) {
  auto pair = create_segment_pair(caller_segment_size(4096), pit_segment_size(8192), 1);
  ASSERT_TRUE(pair);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto own = Mapping::map(pair->pit.get(), pit_segment_size(8192), Access::read_write);
    const auto peer_fd = reopen_read_only(pair->caller.get());
    auto peer = Mapping::map(peer_fd->get(), caller_segment_size(4096), Access::read_only);
    if (!own || !peer) ::_exit(1);
    PitChannel<> pit(own->data(), peer->data(), geometry);
    echo(pit, [&] { return pit.peer_state() != SideState::open; });
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  auto own = Mapping::map(pair->caller.get(), caller_segment_size(4096), Access::read_write);
  const auto peer_fd = reopen_read_only(pair->pit.get());
  auto peer = Mapping::map(peer_fd->get(), pit_segment_size(8192), Access::read_only);
  ASSERT_TRUE(own && peer);
  CallerChannel<> caller(own->data(), peer->data(), geometry);
  call_many(caller, 6000);
  caller.set_state(SideState::closing);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// The pit is killed while it answers; what it committed is whole, in order, and ends at the first 0.
TEST(Channel, WhatAKilledPitCommittedIsWholeAndInOrder) {
  for (int round = 0; round < 40; ++round) {
    Link link;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto own = Mapping::map(link.pair.pit.get(), pit_segment_size(8192), Access::read_write);
      auto peer = Mapping::map(link.pair.caller.get(), caller_segment_size(4096), Access::read_only);
      PitChannel<> pit(own->data(), peer->data(), geometry);
      for (std::uint64_t id = 1;; ++id) {
        while (!send(pit, request(id), std::string(id % 97 * 8, static_cast<char>('a' + id % 26)))) {
        }
      }
    }
    auto caller = link.caller();
    std::uint64_t last = 0;
    const auto drain = [&] {
      for (;;) {
        const auto [id, text] = take(caller);
        if (id == 0) return;
        ASSERT_EQ(id, last + 1);
        ASSERT_EQ(text, std::string(id % 97 * 8, static_cast<char>('a' + id % 26)));
        last = id;
      }
    };
    while (last < 50u + static_cast<unsigned>(round) * 13) drain();
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    drain();
    ASSERT_EQ(caller.fault(), RingFault::none);
  }
}

}  // namespace
}  // namespace symphony::detail
