// The memory of a state and what a pit's process is told of it. What its bytes go through: tests/proof/state.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "bus/state/handover.hpp"
#include "bus/state/state_memory.hpp"

namespace symphony::detail {
namespace {

using testing::HasSubstr;
constexpr StateGeometry geometry{8192, 4096};

TEST(StateMemory, IsAllZeroAndTakesRoomOnlyWhereItIsUsed) {
  auto own = StateMemory::map_own(create_state_memory({std::uint64_t{1} << 31, 4096}).value(),
                                  {std::uint64_t{1} << 31, 4096}, false);
  ASSERT_TRUE(own) << "4 GiB, of which three pages are taken";
  EXPECT_EQ(own->bytes().size(), state_size({std::uint64_t{1} << 31, 4096}));
  EXPECT_EQ(own->bytes().front(), std::byte{0});
  EXPECT_EQ(own->bytes().back(), std::byte{0});
}

TEST(StateMemory, OfAnotherSizeThanAgreedIsRefused) {
  const auto own = StateMemory::map_own(create_state_memory({4096, 4096}).value(), geometry, false);
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, errc::invalid_argument);
}

TEST(StateMemory, WithoutAGeometryThatMakesSenseIsNotMade) {
  for (const StateGeometry& g : {StateGeometry{0, 4096}, StateGeometry{4096, 0}, StateGeometry{4097, 4096},
                                 StateGeometry{4096, std::uint64_t{1} << 40}}) {
    ASSERT_FALSE(create_state_memory(g));
  }
}

TEST(StateMemory, ThatWasCutToNothingIsReadAsNothing) {
  const auto old = StateMemory::map_old(UniqueFd(::memfd_create("empty", MFD_CLOEXEC)), true);
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->bytes().empty());
}

// A file may be on a disk that is full: what cannot be had is an error, not a signal later.
TEST(StateMemory, ThatTheSystemDoesNotGiveIsAnErrorWithARemedy) {
  UniqueFd fd = create_state_memory(geometry).value();
  UniqueFd read_only(::open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  const auto own = StateMemory::map_own(std::move(read_only), geometry, false);
  ASSERT_FALSE(own);
  EXPECT_THAT(own.error().text, HasSubstr("free memory"));
}

TEST(StateHandover, ReadsWhatItWrote) {
  StateHandover out;
  out.policy = {Durability::journal, 8192, 4096, 7, 9};
  out.own_fd = 4;
  out.old_fd = 5;
  out.is_file = true;
  const auto in = read_handover(write_handover(out));
  ASSERT_TRUE(in);
  EXPECT_EQ(write_handover(*in), write_handover(out));
  EXPECT_EQ(in->policy.durability, Durability::journal);
  EXPECT_EQ(in->old_fd, 5);
}

TEST(StateHandover, RefusesEverythingElse) {
  const std::string good = write_handover({{Durability::snapshot, 8192, 4096, 7, 9}, 4, -1, false});
  ASSERT_TRUE(read_handover(good));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(read_handover(good.substr(0, size))) << size;
  for (const std::string& bad :
       {good + " ", good + "x", std::string("none 4 -1 0 8192 4096 7 9"), std::string("journal 2 -1 0 8192 4096 7 9"),
        std::string("journal 4 -2 0 8192 4096 7 9"), std::string("journal 4 -1 2 8192 4096 7 9"),
        std::string("journal 4 -1 0 8193 4096 7 9"), std::string("journal 4 -1 0 8192 4096 0 9"),
        std::string("journal 4 -1 0 8192 4096 7 0"), std::string("journal  4 -1 0 8192 4096 7 9")}) {
    EXPECT_FALSE(read_handover(bad)) << bad;
  }
}

}  // namespace
}  // namespace symphony::detail
