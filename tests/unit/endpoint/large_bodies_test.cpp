// Large replies and the memory they take. What could go wrong: each of the slots that the ids go round through grows
// for itself, so that a link's memory is many times what its program ever held at once; or bytes are used again while
// the program still looks at them.
#include <gtest/gtest.h>

#include <set>

#include "bus/endpoint/call_table.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

constexpr std::uint32_t ring = 256 * 1024;
constexpr std::size_t large = 2 * CallTable::body_kept_max;
constexpr CallOptions patient{.timeout_ns = 60 * second_ns};

struct LargeBodies : testing::Test {
  LargeBodies() {
    auto epoch = make_epoch(1, 0, Trust::cooperative, ring);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    link = std::make_unique<LinkCore>(std::make_shared<FakeControl>(), std::make_shared<LinkMailbox>(),
                                      std::move(epoch.caller), LinkOptions{.in_flight_max = 64});
  }
  CallId start() {
    const auto id = link->try_start(5, bytes_of("x"), patient);
    EXPECT_TRUE(id);
    return id.value_or(0);
  }
  // Calls, and answers with `size` times `fill`.
  Reply one(std::size_t size, char fill) {
    const CallId id = start();
    EXPECT_EQ(pit->serve(std::string(size, fill)), id);
    pit->free();
    return link->wait(id);
  }
  std::unique_ptr<HandPit> pit;
  std::unique_ptr<LinkCore> link;
};

TEST_F(LargeBodies, OfCallsOneAfterTheOtherTakeTheMemoryOfTwo) {
  std::set<const std::byte*> places;
  for (int i = 0; i < 200; ++i) {
    const Reply reply = one(large, static_cast<char>('a' + i % 26));
    ASSERT_EQ(text_of(reply), std::string(large, static_cast<char>('a' + i % 26)));
    places.insert(reply.body.data());
  }
  EXPECT_LE(places.size(), 2U);
}

TEST_F(LargeBodies, OfCallsAtOnceTakeTheMemoryOfAsMany) {
  std::set<const std::byte*> places;
  for (int round = 0; round < 50; ++round) {
    std::vector<CallId> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(start());
    for (int i = 0; i < 3; ++i) EXPECT_NE(pit->serve(std::string(large, static_cast<char>('0' + i))), 0U);
    pit->free();
    std::vector<Reply> replies;
    for (const CallId id : ids) replies.push_back(link->wait(id));
    // All three are there until the next call, although each was taken before the next one came.
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(text_of(replies[static_cast<std::size_t>(i)]), std::string(large, static_cast<char>('0' + i)));
      places.insert(replies[static_cast<std::size_t>(i)].body.data());
    }
  }
  EXPECT_LE(places.size(), 6U);
}

TEST_F(LargeBodies, StayUntilTheNextCallWhileLaterRepliesAreTaken) {
  (void)one(large, 'm');  // there is memory to use again
  const CallId first = start();
  const CallId second = start();
  ASSERT_EQ(pit->serve(std::string(large, 'f')), first);
  const Reply held = link->wait(first);
  ASSERT_EQ(pit->serve(std::string(large, 's')), second);
  EXPECT_EQ(text_of(link->wait(second)), std::string(large, 's'));
  EXPECT_EQ(text_of(held), std::string(large, 'f'));
}

TEST_F(LargeBodies, ThatGrowAreWholeInMemoryThatWasTooSmall) {
  for (const std::size_t size : {large, large + large / 2 + 1, std::size_t{60'000}, CallTable::body_kept_max, large}) {
    EXPECT_EQ(text_of(one(size, 'g')), std::string(size, 'g')) << size;
  }
}

TEST_F(LargeBodies, AndSmallOnesThatAreKeptStayAsLongAsWhoKeepsThem) {
  for (const std::size_t size : {std::size_t{1}, CallTable::body_kept_max, large}) {
    const Reply reply = one(size, 'k');
    const auto kept = link->keep(reply);
    ASSERT_EQ(kept.get(), reply.body.data());
    EXPECT_EQ(link->keep(reply), nullptr) << "it is kept already";
    for (int i = 0; i < 130; ++i) EXPECT_EQ(text_of(one(size, 'x')), std::string(size, 'x'));
    EXPECT_EQ(text_of(reply), std::string(size, 'k'));
  }
}

TEST_F(LargeBodies, ThatServeAnotherCallAlreadyAreNotKept) {
  for (const std::size_t size : {std::size_t{1}, large}) {
    const Reply late = one(size, 'l');
    for (int i = 0; i < 64; ++i) (void)one(size, 'x');
    EXPECT_EQ(link->keep(late), nullptr) << size;
  }
  EXPECT_EQ(link->keep({}), nullptr);
}

}  // namespace
}  // namespace symphony::detail
