// A durable pit whose disk, or whose room, is not what it needs: what was not kept is not said, and nothing is half
// done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "bus/state/state_reader.hpp"
#include "bus/state/state_writer.hpp"
#include "pits/hosting/durable/durable_pit.hpp"
#include "pits/hosting/durable/state_frame.hpp"
#include "tests/proof/state/ledger.hpp"

namespace symphony::proof {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What the disk does, in this program: fdatasync() below asks here.
struct Disk {
  int synced = 0;
  int fails_after = -1;  // so many; -1: never
};
Disk& disk() {
  static Disk one;
  return one;
}

struct Owner final : pit::DurableOwner {
  Delivered deliver(const pit::Owed& ending) noexcept override {
    delivered.push_back(ending);
    return Delivered::written;
  }
  void post(const pit::OwnCall&) noexcept override {}
  std::vector<pit::Owed> delivered;
};

struct Sink final : pit::DirectSink {
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    bytes.resize(size_min);
    out = bytes;
    return true;
  }
  void commit(std::uint32_t, std::uint32_t) noexcept override {
    status = SYMPHONY_OK;
    synced = disk().synced;
  }
  void fail(std::int32_t ending, std::string_view why) noexcept override {
    status = ending;
    text = why;
  }
  void leave() noexcept override { status = SYMPHONY_PENDING; }
  std::vector<std::byte> bytes;
  std::int32_t status = 99;
  int synced = 0;  // when the reply left
  std::string text;
};

struct TroubleTest : testing::Test {
  TroubleTest() { disk() = {}; }
  ~TroubleTest() override { disk() = {}; }
  TroubleTest(const TroubleTest&) = delete;
  TroubleTest& operator=(const TroubleTest&) = delete;

  void start(std::uint64_t snapshot_size, bool is_synced = false, const detail::StateMemory* old = nullptr) {
    policy.durability = Durability::journal;
    policy.snapshot_size_max = snapshot_size;
    policy.journal_size = 4096;
    const detail::StateGeometry geometry{policy.snapshot_size_max, policy.journal_size};
    UniqueFd fd = detail::create_state_memory(geometry).value();
    left = fd.duplicate();
    std::unique_ptr<pit::DurablePit> next;
    const auto started = pit::DurablePit::make(
        [](pit::InstanceServices* services, std::unique_ptr<pit::Instance>& out) -> pit::Outcome {
          if (auto made = pit::Instance::make(Ledger::entry(), {.services = services, .seed = 42}, out); !made.ok()) {
            return made;
          }
          return out->init();
        },
        owner, policy, detail::StateMemory::map_own(std::move(fd), geometry, is_synced).value(), old, nullptr, next);
    ASSERT_TRUE(started.ok()) << started.text;
    pit = std::move(next);
  }
  // As if the process had been killed: the next instance has what is in the memory.
  void kill_and_start(std::uint64_t snapshot_size) {
    const auto old = detail::StateMemory::map_old(std::move(left), false).value();
    start(snapshot_size, false, &old);
  }
  Sink ask(Way way) {
    const Order order{1, ++id};
    const symphony_envelope envelope{id, 0, static_cast<std::uint32_t>(way), SYMPHONY_FLAG_REQUEST, 0, 0};
    Sink sink;
    pit->handle(1, envelope, std::as_bytes(std::span(&order, 1)), sink);
    return sink;
  }
  std::vector<std::byte> state() {
    pit::Snapshot taken;
    EXPECT_TRUE(pit->instance().snapshot(taken).ok());
    return taken.bytes;
  }
  // A snapshot of the ledger after so many orders.
  static pit::Snapshot snapshot_of(std::uint64_t orders) {
    std::vector<std::uint64_t> words{7, orders};
    for (std::uint64_t i = 0; i < orders; ++i) words.insert(words.end(), {9, i});
    const auto bytes = std::as_bytes(std::span(words));
    return {1, {bytes.begin(), bytes.end()}, {}};
  }

  StatePolicy policy;
  Owner owner;
  UniqueFd left;
  std::unique_ptr<pit::DurablePit> pit;
  std::uint64_t id = 0;
};

TEST_F(TroubleTest, AnAnswerLeavesWhenTheDiskHasWhatLedToIt) {
  start(64 * 1024, true);
  for (int i = 0; i < 3; ++i) {
    const int before = disk().synced;
    const Sink sink = ask(Way::at_once);
    EXPECT_EQ(sink.status, SYMPHONY_OK);
    EXPECT_GT(sink.synced, before);
  }
}

// The numbers of links begin anew with the machine.
TEST_F(TroubleTest, NoLinkOfAnotherRunOfTheMachineIsKnownButWhatItsCallsDid) {
  for (const bool is_another : {false, true}) {
    start(64 * 1024);
    id = 0;
    ASSERT_EQ(ask(Way::at_once).status, SYMPHONY_OK);
    ASSERT_TRUE(pit->keep().ok());
    const std::vector<std::byte> before = state();

    const auto old = detail::StateMemory::map_old(std::move(left), false).value();
    auto frame = pit::read_state_frame(detail::StateReader<detail::RealMem>(old.bytes(), false).snapshot());
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->last_ids.at(1), 1u);
    if (is_another) ++frame->boot;
    const detail::StateGeometry geometry{policy.snapshot_size_max, policy.journal_size};
    UniqueFd fd = detail::create_state_memory(geometry).value();
    UniqueFd again = fd.duplicate();
    const auto rewritten = detail::StateMemory::map_own(std::move(fd), geometry, false).value();
    detail::StateWriter<detail::RealMem> writer(rewritten.bytes().data(), geometry);
    ASSERT_TRUE(writer.write_snapshot(pit::write_state_frame(*frame)));
    left = std::move(again);
    kill_and_start(64 * 1024);
    EXPECT_EQ(state(), before);
    EXPECT_EQ(pit->last_id(1), is_another ? 0u : 1u);
  }
}

TEST_F(TroubleTest, WhatTheDiskDidNotTakeIsNotAnsweredNorIsAnythingAfterIt) {
  start(64 * 1024, true);
  ASSERT_EQ(ask(Way::at_a_timer).status, SYMPHONY_PENDING);
  disk().fails_after = 0;
  const Sink failed = ask(Way::at_once);
  EXPECT_EQ(failed.status, SYMPHONY_INTERNAL);
  EXPECT_THAT(failed.text, HasSubstr("look at the disk"));
  EXPECT_FALSE(pit->run_timer(now_ns() + second_ns));
  EXPECT_THAT(owner.delivered, IsEmpty());
  disk().fails_after = -1;
  EXPECT_EQ(ask(Way::at_once).status, SYMPHONY_OVERLOADED) << "what was lost does not come back by itself";
}

TEST_F(TroubleTest, ARestoreThatCannotBeKeptChangesNothing) {
  start(4096);
  ASSERT_EQ(ask(Way::at_once).status, SYMPHONY_OK);
  ASSERT_EQ(ask(Way::at_a_timer).status, SYMPHONY_PENDING);
  const auto before = state();
  const auto refused = pit->restore(snapshot_of(1000));
  EXPECT_EQ(refused.status, SYMPHONY_OVERLOADED);
  EXPECT_THAT(refused.text, HasSubstr("snapshot_size"));
  EXPECT_EQ(state(), before);
  EXPECT_THAT(owner.delivered, IsEmpty());
  ASSERT_TRUE(pit->run_timer(now_ns() + second_ns)) << "the request that waited still does";
  ASSERT_EQ(owner.delivered.size(), 1u);
  EXPECT_EQ(owner.delivered[0].status, SYMPHONY_OK);
}

TEST_F(TroubleTest, ARestoreEndsWhatWaitedOnceAndHoldsOverADeath) {
  start(4096);
  ASSERT_EQ(ask(Way::at_a_timer).status, SYMPHONY_PENDING);
  const pit::Snapshot from = snapshot_of(20);
  ASSERT_TRUE(pit->restore(from).ok());
  ASSERT_EQ(owner.delivered.size(), 1u);
  EXPECT_EQ(owner.delivered[0].id, 1u);
  EXPECT_EQ(owner.delivered[0].status, SYMPHONY_CRASHED_ACCEPTED);
  EXPECT_FALSE(pit->run_timer(now_ns() + second_ns)) << "that was the old state's";
  EXPECT_EQ(state(), from.bytes);
  kill_and_start(4096);
  EXPECT_EQ(state(), from.bytes);
  EXPECT_EQ(pit->last_id(1), 1u) << "the link's numbers go on";
}

// Nor may it cost the others a snapshot, or the journal that they have room in.
TEST_F(TroubleTest, ARequestThatNoJournalHoldsIsRefusedAndTheNextOneIsNot) {
  start(4096);
  for (int i = 0; i < 100; ++i) {
    const std::vector<std::byte> large(5000);
    const symphony_envelope envelope{++id, 0, 0, SYMPHONY_FLAG_REQUEST, 0, 0};
    Sink refused;
    pit->handle(1, envelope, large, refused);
    ASSERT_EQ(refused.status, SYMPHONY_OVERLOADED);
    ASSERT_EQ(ask(Way::at_once).status, SYMPHONY_OK) << i;
  }
}

// A pit that has outgrown what is kept of it must not take a processor with it.
TEST_F(TroubleTest, ATimerThatFindsNoRoomIsNotAskedForWithoutEnd) {
  start(4096);
  while (ask(Way::at_a_timer).status == SYMPHONY_PENDING) ASSERT_LT(id, 1000u);
  EXPECT_EQ(ask(Way::at_once).status, SYMPHONY_OVERLOADED);
  const TimeNs now = now_ns();
  EXPECT_FALSE(pit->run_timer(now + second_ns)) << "it is due";
  EXPECT_GT(pit->next_due_ns(), now);
}

}  // namespace
}  // namespace symphony::proof

// In the place of the C library's.
extern "C" int fdatasync(int fd) {
  auto& disk = symphony::proof::disk();
  if (disk.fails_after >= 0 && disk.fails_after-- == 0) {
    disk.fails_after = 0;
    errno = EIO;
    return -1;
  }
  ++disk.synced;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
