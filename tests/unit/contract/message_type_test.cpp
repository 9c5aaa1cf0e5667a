// The type id is wire format: it must be plain FNV-1a of the qualified table name, and known at compile time.
#include <gtest/gtest.h>

#include <symphony/message_type.hpp>
#include <symphony/pit.hpp>

#include "greeter_generated.h"

namespace symphony {
namespace {

TEST(MessageType, IsThePublished32BitFnv1aOfTheName) {
  EXPECT_EQ(pit::message_type(""), 0x811c9dc5U);
  EXPECT_EQ(pit::message_type("a"), 0xe40c292cU);
  EXPECT_EQ(pit::message_type("foobar"), 0xbf9cf968U);
}

TEST(MessageType, OfATableIsTheHashOfItsQualifiedNameAtCompileTime) {
  static_assert(pit_type_id<greeter::Hello>() == pit::message_type("greeter.Hello"));
  static_assert(pit_type_id<greeter::Hello>() != pit_type_id<greeter::Greeting>());
}

TEST(MessageType, TakesEveryByteOfANameAsUnsigned) {
  // "\xff" hashed by hand: (offset basis xor 0xff) * prime, mod 2^32.
  EXPECT_EQ(pit::message_type("\xff"), static_cast<std::uint32_t>((0x811c9dc5ULL ^ 0xff) * 16777619ULL));
}

}  // namespace
}  // namespace symphony
