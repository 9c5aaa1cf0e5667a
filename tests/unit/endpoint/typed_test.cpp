#include <symphony/typed.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace symphony {
namespace {

// A table by hand, so that this layer's test needs no schema: one 32-bit field.
struct Number : private flatbuffers::Table {
  static constexpr const char* GetFullyQualifiedName() { return "symphony.test.Number"; }
  [[nodiscard]] std::uint32_t value() const { return GetField<std::uint32_t>(4, 0); }
  bool Verify(flatbuffers::Verifier& v) const {
    return VerifyTableStart(v) && VerifyField<std::uint32_t>(v, 4, 4) && v.EndTable();
  }
};
struct Other : private flatbuffers::Table {
  static constexpr const char* GetFullyQualifiedName() { return "symphony.test.Other"; }
  bool Verify(flatbuffers::Verifier& v) const { return VerifyTableStart(v) && v.EndTable(); }
};

flatbuffers::Offset<Number> number(flatbuffers::FlatBufferBuilder& b, std::uint32_t value) {
  const auto start = b.StartTable();
  b.AddElement<std::uint32_t>(4, value, 0);
  return {b.EndTable(start)};
}

// Answers with what it was sent, or with what the test wants.
struct EchoCaller {
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions&) {
    bytes.assign(body.begin(), body.end());
    if (damage) bytes[0] = std::byte{0xff};
    return {.status = status,
            .type = type,
            .body = status == 0 ? std::span<const std::byte>(bytes) : std::span<const std::byte>()};
  }
  std::vector<std::byte> bytes;
  bool damage = false;
  CallStatus status = status::ok;
};

TEST(TypedCall, GivesAVerifiedRoot) {
  EchoCaller caller;
  flatbuffers::FlatBufferBuilder builder;
  const auto reply = call<Number>(caller, builder, number(builder, 7));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->value(), 7u);
  EXPECT_EQ(builder.GetSize(), 0u) << "ready for the next call";
}

TEST(TypedCall, AReplyOfAnotherTypeOrDamagedIsABadMessage) {
  EchoCaller caller;
  flatbuffers::FlatBufferBuilder builder;
  const auto other = call<Other>(caller, builder, number(builder, 7));
  EXPECT_FALSE(other);
  EXPECT_EQ(other.reply.status, status::bad_message);
  caller.damage = true;
  EXPECT_EQ(call<Number>(caller, builder, number(builder, 7)).reply.status, status::bad_message);
}

TEST(TypedCall, AFailedCallKeepsItsStatus) {
  EchoCaller caller;
  caller.status = status::crashed;
  flatbuffers::FlatBufferBuilder builder;
  const auto reply = call<Number>(caller, builder, number(builder, 7));
  EXPECT_FALSE(reply);
  EXPECT_EQ(reply.reply.status, status::crashed);
}

static_assert(type_id("") == 2'166'136'261u);
static_assert(type_id("a") == 0xe40c292cu, "the published value of FNV-1a");

}  // namespace
}  // namespace symphony
