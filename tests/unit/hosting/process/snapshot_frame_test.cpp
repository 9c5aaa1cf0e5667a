// A snapshot's way between a process pit and its host: what is written is what is read, and nothing else is read.
#include "pits/hosting/process/snapshot_frame.hpp"

#include <gtest/gtest.h>

namespace symphony::pit::runtime {
namespace {

Snapshot sample() {
  return {.revision = 3,
          .bytes = {std::byte{1}, std::byte{2}, std::byte{3}},
          .timers = {{4, -5}, {9, 1'000'000}, {UINT64_MAX, 0}}};
}

TEST(SnapshotFrame, CarriesStateAndTimers) {
  const auto read = read_frame(3, write_frame(sample()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->revision, 3U);
  EXPECT_EQ(read->bytes, sample().bytes);
  EXPECT_EQ(read->timers, sample().timers);
}

TEST(SnapshotFrame, OfNothingIsRead) {
  const auto read = read_frame(1, write_frame({}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->bytes.empty());
  EXPECT_TRUE(read->timers.empty());
}

TEST(SnapshotFrame, ThatIsCutBeforeTheStateIsRefused) {
  const auto whole = write_frame(sample());
  for (std::size_t size = 0; size < whole.size() - 3; ++size) {
    EXPECT_FALSE(read_frame(3, std::span(whole).first(size))) << size;
  }
}

TEST(SnapshotFrame, WithTimersThatNoInstanceHasIsRefused) {
  Snapshot twice = sample();
  twice.timers[1].id = twice.timers[0].id;
  EXPECT_FALSE(read_frame(3, write_frame(twice)));
  Snapshot many;
  for (std::uint64_t id = 0; id <= SYMPHONY_TIMERS_MAX; ++id) many.timers.push_back({id, 0});
  EXPECT_FALSE(read_frame(3, write_frame(many)));
  many.timers.pop_back();
  EXPECT_TRUE(read_frame(3, write_frame(many)));
}

}  // namespace
}  // namespace symphony::pit::runtime
