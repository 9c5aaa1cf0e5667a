// When exceptions are too many: what could go wrong is that some over a long time count as many, or a storm as few.
#include "pits/hosting/process/exception_storm.hpp"

#include <gtest/gtest.h>

namespace symphony::pit {
namespace {

TEST(ExceptionStorm, IsSoManyWithinTheWindow) {
  ExceptionStorm storm(3, 100);
  EXPECT_FALSE(storm.add(1000));
  EXPECT_FALSE(storm.add(1050));
  EXPECT_FALSE(storm.add(1100)) << "the first is out of the window";
  EXPECT_TRUE(storm.add(1149)) << "1050, 1100, 1149";
  EXPECT_TRUE(storm.is_one()) << "and stays so";
}

TEST(ExceptionStorm, IsNoneWhereTheyAreRareHoweverManyThereAre) {
  ExceptionStorm storm(3, 100);
  for (TimeNs at = 0; at < 100'000; at += 50) EXPECT_FALSE(storm.add(at));
}

TEST(ExceptionStorm, OfOneIsTheFirst) { EXPECT_TRUE(ExceptionStorm(1, 100).add(5)); }

TEST(ExceptionStorm, WithoutALimitIsNever) {
  ExceptionStorm storm(0, 100);
  for (int n = 0; n < 1000; ++n) EXPECT_FALSE(storm.add(5));
}

TEST(ExceptionStorm, ComesAsTextAndNonsenseIsNone) {
  EXPECT_EQ(ExceptionStorm::from(ExceptionStorm::text_of(7, 60 * second_ns))->max(), 7U);
  for (const char* text : {"", "7", ",", "7,", ",7", "7,0", "7,-1", "7,x", "x,7", "7,8 "})
    EXPECT_FALSE(ExceptionStorm::from(text)) << text;
}

}  // namespace
}  // namespace symphony::pit
