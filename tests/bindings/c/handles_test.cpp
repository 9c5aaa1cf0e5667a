// What could go wrong: a handle reaches an object that is gone or another one, a second thread gets in beside the
// first, or the object of a closed handle stays.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bindings/c/handles.hpp"

namespace symphony::c_abi {
namespace {

std::atomic<int> alive{0};
struct Counted {
  Counted() { ++alive; }
  ~Counted() { --alive; }
  int value = 7;
};
using Table = Handles<Counted, 4>;

TEST(Handles, ThatAreClosedOrNeverWereAreToldFromThoseThatAre) {
  Table table;
  const std::uint64_t handle = table.put(std::make_unique<Counted>());
  ASSERT_NE(handle, 0u);
  EXPECT_EQ(table.enter(handle, true)->value, 7);
  for (const std::uint64_t none : {std::uint64_t{0}, std::uint64_t{1}, handle + 1, handle + 4,
                                   handle + (std::uint64_t{1} << 32), ~std::uint64_t{0}}) {
    EXPECT_EQ(table.enter(none, false).status(), SYMPHONY_E_CLOSED) << none;
    EXPECT_EQ(table.close(none, true), SYMPHONY_E_CLOSED) << none;
  }
  EXPECT_EQ(table.close(handle, true), SYMPHONY_OK);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(table.close(handle, true), SYMPHONY_E_CLOSED);
  const std::uint64_t next = table.put(std::make_unique<Counted>());
  EXPECT_NE(next, handle) << "the same place, another round";
  EXPECT_EQ(table.enter(handle, false).status(), SYMPHONY_E_CLOSED);
  EXPECT_EQ(table.close(next, false), SYMPHONY_OK);
}

TEST(Handles, AreRefusedWhereAllPlacesAreTakenUntilOneIsClosed) {
  Table table;
  std::vector<std::uint64_t> all;
  for (int i = 0; i < 4; ++i) all.push_back(table.put(std::make_unique<Counted>()));
  EXPECT_EQ(table.put(std::make_unique<Counted>()), 0u);
  EXPECT_EQ(alive, 4);
  EXPECT_EQ(table.close(all[2], false), SYMPHONY_OK);
  all[2] = table.put(std::make_unique<Counted>());
  EXPECT_NE(all[2], 0u);
  for (const std::uint64_t handle : all) EXPECT_EQ(table.close(handle, false), SYMPHONY_OK);
  EXPECT_EQ(alive, 0);
}

TEST(Handles, LetOneInAloneAndOthersBesideWhoeverDoesNotMind) {
  Table table;
  const std::uint64_t handle = table.put(std::make_unique<Counted>());
  {
    const auto first = table.enter(handle, true);
    EXPECT_EQ(table.enter(handle, true).status(), SYMPHONY_E_BUSY);
    EXPECT_EQ(table.close(handle, true), SYMPHONY_E_BUSY);
    const auto beside = table.enter(handle, false);
    EXPECT_TRUE(beside);
  }
  EXPECT_TRUE(table.enter(handle, true));
  {
    const auto last = table.enter(handle, false);
    EXPECT_EQ(table.close(handle, true), SYMPHONY_OK);
    EXPECT_EQ(table.enter(handle, false).status(), SYMPHONY_E_CLOSED);
    EXPECT_EQ(alive, 1) << "somebody is inside";
    EXPECT_EQ(last->value, 7);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Handles, OfManyThreadsThatEnterAndCloseReachOnlyWhatIsThere) {
  Table table;
  std::atomic<std::uint64_t> shared{0};
  std::atomic<int> entered{0}, closed{0}, made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3'000; ++i) {
        if (const std::uint64_t handle = table.put(std::make_unique<Counted>()); handle != 0) {
          ++made;
          const std::uint64_t before = shared.exchange(handle);
          if (before != 0 && table.close(before, false) == SYMPHONY_OK) ++closed;
        }
        if (const auto pin = table.enter(shared.load(), t % 2 == 0)) {
          entered += pin->value == 7;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(table.close(shared.load(), false), SYMPHONY_OK);
  EXPECT_EQ(closed + 1, made);
  EXPECT_GT(entered, 0);
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace symphony::c_abi
