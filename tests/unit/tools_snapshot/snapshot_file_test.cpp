// A snapshot's file: what could go wrong is that a file which is not what was written is taken for one.
#include "tools/symphony/snapshot_file.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "pits/hosting/pit_info.hpp"
#include "tests/support/samples.hpp"

namespace symphony::tools {
namespace {

SnapshotFile random_file(std::mt19937_64& random) {
  SnapshotFile file{std::string(1 + random() % pit::pit_name_size_max, 'p'),
                    {static_cast<std::uint32_t>(random()), std::vector<std::byte>(random() % 100), {}}};
  for (std::byte& b : file.snapshot.bytes) b = static_cast<std::byte>(random());
  for (std::uint64_t id = 0; id < random() % 4; ++id) {
    file.snapshot.timers.push_back({id, static_cast<TimeNs>(random())});
  }
  return file;
}

TEST(SnapshotFile, ComesBackAsItWasWritten) {
  std::mt19937_64 random(test_run::seed());
  for (std::uint64_t i = 0; i < test_run::samples(1000); ++i) {
    const SnapshotFile file = random_file(random);
    const auto bytes = write_snapshot_file(file);
    const auto read = read_snapshot_file(bytes, "x");
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->pit, file.pit);
    EXPECT_EQ(read->snapshot.revision, file.snapshot.revision);
    EXPECT_EQ(read->snapshot.bytes, file.snapshot.bytes);
    EXPECT_EQ(read->snapshot.timers, file.snapshot.timers);
    EXPECT_EQ(write_snapshot_file(*read), bytes);
    EXPECT_LE(bytes.size(), snapshot_file_size_max());
  }
}

TEST(SnapshotFile, IsRefusedWithAnyBitChanged) {
  std::mt19937_64 random(test_run::seed());
  auto bytes = write_snapshot_file(random_file(random));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(read_snapshot_file(bytes, "x")) << "byte " << i << " bit " << bit;
      bytes[i] ^= static_cast<std::byte>(1 << bit);
    }
  }
  EXPECT_TRUE(read_snapshot_file(bytes, "x"));
}

TEST(SnapshotFile, IsRefusedCutAnywhereOrWithMoreBehindIt) {
  std::mt19937_64 random(test_run::seed());
  auto bytes = write_snapshot_file(random_file(random));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto read = read_snapshot_file(cut, "x");
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().fault, size == 0 ? InputFault::empty : InputFault::truncated) << size;
  }
  bytes.push_back(std::byte{});
  EXPECT_FALSE(read_snapshot_file(bytes, "x"));
}

TEST(SnapshotFile, SaysWhatIsWrongWithAFile) {
  const auto fault_of = [](std::string_view text) {
    return read_snapshot_file(std::as_bytes(std::span(text)), "x").error().fault;
  };
  EXPECT_EQ(fault_of("name = \"greeter\"\n"), InputFault::unknown_format);
  EXPECT_EQ(fault_of(std::string_view("SYSN\2\0\0\0........................", 32)), InputFault::unknown_format);
  EXPECT_EQ(fault_of("SYST"), InputFault::unknown_format) << "a pit's state is no snapshot";
}

}  // namespace
}  // namespace symphony::tools
