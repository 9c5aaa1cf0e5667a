// A pit in WebAssembly does what the same pit does linked in, byte for byte.
#include <gmock/gmock.h>

#include <symphony/pit.hpp>

#include "greeter_generated.h"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

SYMPHONY_DECLARE_PIT(greeter);
SYMPHONY_DECLARE_PIT(trapper);

namespace symphony::pit::wasm {
namespace {

TEST(WasmGuest, GreeterGivesTheSameRepliesAndSnapshotAsLinkedIn) {
  Running guest(loaded(SYMPHONY_WASM_GREETER).entry());
  Running linked(*symphony_pit_greeter());
  ASSERT_TRUE(guest.outcome.ok()) << guest.outcome.text;
  ASSERT_TRUE(linked.outcome.ok());
  for (const std::size_t size : {0U, 1U, 5U, 900U, 5'000U, 40'000U, 3U}) {
    flatbuffers::FlatBufferBuilder b;
    b.Finish(greeter::CreateHelloDirect(b, std::string(size, 'w').c_str()));
    const auto body = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
    for (Running* one : {&guest, &linked}) one->send(pit_type_id<greeter::Hello>(), body);
    EXPECT_EQ(guest.sink.status, SYMPHONY_OK) << guest.sink.text;
    EXPECT_EQ(guest.sink.type, linked.sink.type);
    EXPECT_EQ(guest.sink.body, linked.sink.body) << "for a name of " << size << " bytes";
  }
  for (Running* one : {&guest, &linked}) one->send(12345, std::uint64_t{1});
  EXPECT_EQ(guest.sink.status, linked.sink.status);
  EXPECT_EQ(guest.sink.text, linked.sink.text);
  for (Running* one : {&guest, &linked}) one->send(pit_type_id<greeter::Hello>(), std::uint64_t{1});
  EXPECT_EQ(guest.sink.status, linked.sink.status);
  EXPECT_EQ(guest.sink.text, linked.sink.text);
  Snapshot from_guest;
  Snapshot from_linked;
  ASSERT_TRUE(guest.instance->snapshot(from_guest).ok());
  ASSERT_TRUE(linked.instance->snapshot(from_linked).ok());
  EXPECT_EQ(from_guest.bytes, from_linked.bytes);
  EXPECT_EQ(from_guest.revision, from_linked.revision);
}

}  // namespace
}  // namespace symphony::pit::wasm
