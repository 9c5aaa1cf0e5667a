// What could go wrong: a goal is read the wrong way round, or a peer has none that should have one.
#include "bench/peers/goals.hpp"

#include <gtest/gtest.h>

namespace symphony::bench::peers {
namespace {

TEST(PeerGoals, SpinningIsAheadOfEveryPeerUpTo4KiBAndCloseToTheBestAbove) {
  for (const PeerFacts& peer : known_peers) {
    if (peer.wait != Wait::spin) continue;
    for (const std::size_t size : {8u, 64u, 4096u}) {
      EXPECT_EQ(ratio_goal(peer, Pattern::rtt, size), 1) << peer.name;
      EXPECT_EQ(ratio_goal(peer, Pattern::stream, size), 1) << peer.name;
    }
    EXPECT_DOUBLE_EQ(ratio_goal(peer, Pattern::stream, 4104).value_or(0), 0.95) << peer.name;
    EXPECT_DOUBLE_EQ(ratio_goal(peer, Pattern::rtt, 65536).value_or(0), 1 / 0.95) << peer.name;
  }
}

TEST(PeerGoals, SleepingIsAheadOfEveryLibraryAndCloseToABareUnixSocket) {
  for (const PeerFacts& peer : known_peers) {
    if (peer.wait != Wait::sleep) continue;
    for (const std::size_t size : {64u, 65536u}) {
      const auto goal = ratio_goal(peer, Pattern::rtt, size);
      if (peer.library) {
        EXPECT_EQ(goal, 1) << peer.name;
      } else if (peer.name == "uds") {
        EXPECT_EQ(goal, 1.1);
        EXPECT_EQ(ratio_goal(peer, Pattern::stream, size), 1 / 1.1);
      } else {
        EXPECT_FALSE(goal) << peer.name;
      }
    }
  }
}

TEST(PeerGoals, LessTimeAndMoreMessagesMeetThem) {
  EXPECT_TRUE(meets(Pattern::rtt, 1, 1));
  EXPECT_FALSE(meets(Pattern::rtt, 1.01, 1));
  EXPECT_TRUE(meets(Pattern::stream, 0.95, 0.95));
  EXPECT_FALSE(meets(Pattern::stream, 0.94, 0.95));
}

TEST(PeerFactsTable, NamesEachPeerOnceWithWhatItIsAndItsSettings) {
  for (const PeerFacts& peer : known_peers) {
    EXPECT_EQ(find_peer(peer.name), &peer) << "twice: " << peer.name;
    EXPECT_FALSE(peer.what.empty() || peer.settings.empty() || peer.program.empty()) << peer.name;
  }
}

}  // namespace
}  // namespace symphony::bench::peers
