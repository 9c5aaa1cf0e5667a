#include "pits/parts/rank_set.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/dag_tracker/random_graph.hpp"

namespace symphony::pit::parts {
namespace {

namespace testing = tracker::testing;

TEST(RankSet, WithoutRoomIsEmpty) {
  RankSet set;
  EXPECT_TRUE(set.empty());
  set.reset(0);
  EXPECT_TRUE(set.empty());
}

TEST(RankSet, GivesItsMembersInOrderAtEverySizeWhereALevelBegins) {
  for (const std::uint32_t size : {1U, 2U, 63U, 64U, 65U, 4095U, 4096U, 4097U, 262144U, 262145U}) {
    RankSet set;
    set.reset(size);
    for (std::uint32_t r = size; r-- > 0;) set.insert(r);
    for (std::uint32_t r = 0; r < size; ++r) {
      ASSERT_FALSE(set.empty());
      ASSERT_EQ(set.take_min(), r) << "size " << size;
    }
    EXPECT_TRUE(set.empty());
  }
}

TEST(RankSet, ForgetsEverythingOnReset) {
  RankSet set;
  set.reset(5000);
  set.insert(4999);
  set.reset(100);
  EXPECT_TRUE(set.empty());
}

TEST(RankSet, BehavesLikeAnOrderedSet) {
  testing::Rng rng(testing::run_seed());
  for (const std::uint32_t size : {1U, 64U, 70U, 5000U, 300000U}) {
    RankSet set;
    std::set<std::uint32_t> model;
    set.reset(size);
    for (int step = 0; step < 20000; ++step) {
      if (model.empty() || rng() % 5 < 3) {
        const std::uint32_t rank = testing::below(rng, size);
        set.insert(rank);
        model.insert(rank);
      } else {
        ASSERT_EQ(set.take_min(), *model.begin());
        model.erase(model.begin());
      }
      ASSERT_EQ(set.empty(), model.empty());
    }
  }
}

}  // namespace
}  // namespace symphony::pit::parts
