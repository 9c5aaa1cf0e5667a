// What could go wrong: an exception passes the boundary, or a thread reads another one's error.
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include "bindings/c/failure.hpp"

namespace symphony::c_abi {
namespace {

TEST(CFailure, AnExceptionIsAStatus) {
  EXPECT_EQ(guarded([]() -> std::int32_t { throw std::bad_alloc(); }), SYMPHONY_E_OUT_OF_MEMORY);
  EXPECT_STREQ(symphony_last_error(), "no memory");
  EXPECT_EQ(guarded([]() -> std::int64_t { throw std::runtime_error("x"); }), SYMPHONY_E_INTERNAL);
  EXPECT_EQ(guarded([]() -> std::int32_t { throw 1; }), SYMPHONY_E_INTERNAL);
  EXPECT_EQ(guarded([]() -> std::int32_t { return 5; }), 5);
}

TEST(CFailure, EachThreadHasItsOwnText) {
  EXPECT_EQ(fail(SYMPHONY_DEADLINE, "mine"), SYMPHONY_DEADLINE);
  std::thread([] {
    EXPECT_STREQ(symphony_last_error(), "");
    (void)fail(SYMPHONY_DEADLINE, std::string(5'000, 'x'));
    EXPECT_EQ(std::strlen(symphony_last_error()), 1'023u);
  }).join();
  EXPECT_STREQ(symphony_last_error(), "mine");
}

TEST(CFailure, EveryStatusOfTheTableHasAText) {
#define SYMPHONY_ROW(name, text) EXPECT_STREQ(symphony_status_text(name), text);
  SYMPHONY_STATUS_TABLE(SYMPHONY_ROW)
#undef SYMPHONY_ROW
  EXPECT_STREQ(symphony_status_text(3), "status of the pit");
  EXPECT_STREQ(symphony_status_text(-99), "unknown status");
}

struct Sized {
  std::uint32_t struct_size;
  std::uint32_t first;
};
struct Longer {
  Sized known;
  std::uint32_t unknown;
};

TEST(CFailure, OptionsOfOlderAndNewerProgramsAreReadAsFarAsTheyAreKnown) {
  Sized to;
  Longer longer{{sizeof(Longer), 5}, 0};
  EXPECT_TRUE(read_options(&longer.known, to));
  EXPECT_EQ(to.first, 5u);
  longer.unknown = 1;
  EXPECT_FALSE(read_options(&longer.known, to)) << "it asks for what we do not know";
  const Sized shorter{4, 5};
  EXPECT_TRUE(read_options(&shorter, to));
  EXPECT_EQ(to.first, 0u);
  const Sized unset{};
  EXPECT_FALSE(read_options(&unset, to));
  EXPECT_TRUE(read_options(static_cast<const Sized*>(nullptr), to));
}

}  // namespace
}  // namespace symphony::c_abi
