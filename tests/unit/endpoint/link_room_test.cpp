// A call that waits for room, with the room made at each single look that the waiting takes. What could go wrong: room
// comes at the last look before the sleep; the call is sent then, and once more behind the sleep.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

// Lets the test act each time the link asks whether it is in a forked child, which it does at every attempt to send.
struct StepControl final : FakeControl {
  [[nodiscard]] const ForkGuard& fork_guard() const noexcept override {
    if (step) step();
    return guard;
  }
  std::function<void()> step;
};

TEST(LinkRoom, ACallIsSentOnceAtWhicheverLookTheRoomComes) {
  constexpr CallOptions once{.timeout_ns = 60 * second_ns, .effect = Effect::once};
  const std::string big(1500, 'b');
  bool slept = false;
  for (int look = 1; !slept; ++look) {
    ASSERT_LT(look, 10 * polls_without_clock) << "it never sleeps: then this shows nothing";
    auto epoch = make_epoch(1);
    HandPit pit(std::move(epoch.pit));
    const auto control = std::make_shared<StepControl>();
    LinkCore link(control, std::make_shared<LinkMailbox>(), std::move(epoch.caller),
                  {.in_flight_max = 16, .waiting = Waiting::sleep});
    std::uint64_t asked = 1;
    while (link.try_start(5, bytes_of(big), once)) ++asked;
    std::uint64_t served = 0;
    int looks = 0;
    const auto serve_all = [&] {
      while (pit.serve("ok") != 0) {
        ++served;
        pit.free();
      }
    };
    control->step = [&] {
      if (++looks >= look) serve_all();
    };
    EXPECT_TRUE(link.call(5, bytes_of(big), once).ok());
    control->step = nullptr;
    serve_all();
    EXPECT_EQ(served, asked) << "room came at look " << look;
    slept = link.counters().sleeps != 0;
  }
}

}  // namespace
}  // namespace symphony::detail
