// What each side may write. What could go wrong: a link of write-back lets the peer store into control words that are
// not its own, or a hostile one gets a writable view of anything but its own segment.
#include "bus/endpoint/attachment.hpp"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <string>

#include "bus/memory/segment.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

// "rw-s" and the like, of the mapping that covers this address; empty: none does.
std::string permissions_at(const std::byte* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::string found;
  FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[512], permissions[8];
  std::uintptr_t from = 0, to = 0;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, permissions) == 3 && from <= wanted &&
        wanted < to) {
      found = permissions;
    }
  }
  std::fclose(maps);
  return found;
}

TEST(Attachment, OfAWriteBackLinkMapsThePeersDataWritableAndItsControlPagesNot) {
  const TestEpoch epoch = make_epoch(1);
  const auto check = [](const Attached& reader, const Attached& writer, std::uint32_t capacity) {
    ASSERT_EQ(reader.peer_data.size(), capacity);
    EXPECT_EQ(permissions_at(reader.peer_data.data()), "rw-s");
    EXPECT_EQ(permissions_at(reader.peer.data()), "r--s");
    EXPECT_EQ(permissions_at(reader.peer.data() + words_offset), "r--s");
    // The same bytes: what is stored there stands in the ring, at its beginning and at its end.
    for (const std::size_t at : {std::size_t{0}, std::size_t{capacity - 1}}) {
      reader.peer_data.data()[at] = std::byte{42};
      EXPECT_EQ(writer.own.data()[data_offset + at], std::byte{42});
    }
  };
  check(*epoch.pit, *epoch.caller, epoch.caller->geometry.request_capacity);
  check(*epoch.caller, *epoch.pit, epoch.caller->geometry.reply_capacity);
}

TEST(Attachment, OfAHostileLinkTakesNoWritableViewEvenWhereItIsOfferedOne) {
  const TestEpoch epoch = make_epoch(1, 0, Trust::hostile);
  EXPECT_FALSE(epoch.caller->peer_data);
  EXPECT_FALSE(epoch.pit->peer_data);
  EXPECT_EQ(permissions_at(epoch.caller->peer.data() + data_offset), "r--s");
}

}  // namespace
}  // namespace symphony::detail
