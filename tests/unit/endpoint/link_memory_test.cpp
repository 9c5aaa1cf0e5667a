// A link in a program that has no memory left for a moment. What could go wrong: a buffer believes in a growth that did
// not happen, and the next body is written past its end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "bus/endpoint/call_table.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace {
thread_local bool no_memory = false;
}  // namespace

void* operator new[](std::size_t size) {
  void* memory = no_memory ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// Not inlined: GCC 12 takes free() for a mistake where it has inlined a delete and not the new that belongs to it.
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace symphony::detail {
namespace {

TEST(Buffer, ThatGotNoMemoryHasWhatItHadAndGrowsLater) {
  Buffer buffer;
  const auto before = buffer.ensure(100);
  std::fill(before.begin(), before.end(), std::byte{7});
  no_memory = true;
  EXPECT_THROW((void)buffer.ensure(1000), std::bad_alloc);
  no_memory = false;
  EXPECT_EQ(buffer.ensure(100).data(), before.data());
  for (const std::byte b : buffer.first(100)) EXPECT_EQ(b, std::byte{7});
  EXPECT_NE(buffer.ensure(1000).data(), before.data()) << "100 bytes are no 1000";
}

struct LinkMemoryTest : testing::Test {
  static constexpr CallOptions read_call{.timeout_ns = 60 * second_ns, .effect = Effect::read};
  void attach(control::Epoch number) {
    auto epoch = make_epoch(number);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    if (link) {
      mailbox->post(link_event::NewEpoch{std::move(epoch.caller)});
    } else {
      link = std::make_unique<LinkCore>(control, mailbox, std::move(epoch.caller), LinkOptions{.in_flight_max = 4});
    }
  }
  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  std::unique_ptr<HandPit> pit;
  std::unique_ptr<LinkCore> link;
};

TEST_F(LinkMemoryTest, CallsThatCannotBeKeptUntilThePitIsBackEndAndTheirPlacesServeAgain) {
  attach(1);
  mailbox->post(link_event::PeerDied{1});
  (void)link->try_take(0);
  for (int round = 0; round < 3; ++round) {
    for (int place = 0; place < 4; ++place) {
      no_memory = true;
      const auto id = link->try_start(5, bytes_of(std::string(1000, 'x')), read_call);
      no_memory = false;
      ASSERT_TRUE(id);
      EXPECT_EQ(link->try_take(*id)->status, status::overloaded);
    }
  }
  const std::string body(1000, 'b');
  const auto kept = link->try_start(5, bytes_of(body), read_call);
  ASSERT_TRUE(kept);
  attach(2);
  (void)link->try_take(0);
  EXPECT_EQ(pit->serve("whole"), *kept);
  EXPECT_EQ(pit->body, body);
  EXPECT_EQ(text_of(link->wait(*kept)), "whole");
  EXPECT_EQ(link->counters().calls, link->counters().ended);
}

TEST_F(LinkMemoryTest, AReplyThatCannotBeHeldEndsItsCallAndTheNextOneArrives) {
  attach(1);
  for (const bool short_of_memory : {true, false, true, false, false, true}) {
    const auto id = link->try_start(5, bytes_of("x"), read_call);
    const std::string text(short_of_memory ? 1500 : 900, 'r');  // the place has no buffer of that size yet
    EXPECT_EQ(pit->serve(text), *id);
    no_memory = short_of_memory;
    const auto reply = link->try_take(*id);
    no_memory = false;
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, short_of_memory ? status::overloaded : status::ok);
    EXPECT_EQ(text_of(*reply), short_of_memory ? "" : text);
    pit->free();
  }
}

}  // namespace
}  // namespace symphony::detail
