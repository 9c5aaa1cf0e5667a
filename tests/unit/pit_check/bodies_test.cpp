#include "tools/pit_check/bodies.hpp"

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace symphony::pit_check {
namespace {

TEST(Bodies, ARandomTableIsAWellFormedBuffer) {
  Random random(1);
  std::set<std::size_t> sizes;
  for (int i = 0; i < 2'000; ++i) {
    const Body body = random_table(random);
    sizes.insert(body.size());
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
    flatbuffers::Verifier verifier(bytes, body.size());
    const auto* root = flatbuffers::GetRoot<flatbuffers::Table>(bytes);
    ASSERT_TRUE(root->VerifyTableStart(verifier)) << i;
  }
  EXPECT_GT(sizes.size(), 20u) << "they are all alike";
}

TEST(Bodies, OneBitIsFlipped) {
  const Body body(9);
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    int set = 0;
    for (const std::byte b : flipped(body, bit)) set += std::popcount(std::to_integer<unsigned>(b));
    EXPECT_EQ(set, 1);
  }
}

TEST(Bodies, TheSameSeedGivesTheSameBodies) {
  Random a(7), b(7);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(random_table(a), random_table(b));
    EXPECT_EQ(damaged(a, Body(20)), damaged(b, Body(20)));
  }
}

}  // namespace
}  // namespace symphony::pit_check
