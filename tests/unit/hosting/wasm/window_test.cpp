// Messages that a guest reads where the host wrote them.
#include <gmock/gmock.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "pits/hosting/wasm/input_window.hpp"
#include "pits/hosting/wasm/wasm_host.hpp"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

namespace symphony::pit::wasm {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t mib = 1u << 20;

class Events final : public EventSink {
 public:
  void on_event(std::uint32_t, std::span<const std::byte> body) noexcept override {
    last.assign(body.begin(), body.end());
  }
  std::vector<std::byte> last;
};

class Window : public ::testing::Test {
 protected:
  void mount(std::uint32_t size) {
    WasmOptions options;
    options.window_size = size;
    options.events = &events;
    const Outcome outcome = WasmHost::mount(SYMPHONY_WASM_TRAPPER, options, host);
    ASSERT_TRUE(outcome.ok()) << outcome.text;
    ASSERT_TRUE(host->open(link).ok());
  }
  // A body at `offset` of the window, of bytes that differ.
  [[nodiscard]] std::span<std::byte> place(std::size_t offset, std::size_t size) const {
    const auto body = host->input_window().subspan(offset, size);
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::byte>(i * 7 + offset);
    return body;
  }
  Reply order(trapper::Order what, std::uint64_t number) {
    return link->call({.type = what, .body = std::as_bytes(std::span(&number, 1))});
  }

  Events events;
  std::unique_ptr<WasmHost> host;
  std::unique_ptr<Link> link;
};

TEST_F(Window, AMessageInItIsTheMessageThatTheGuestSees) {
  mount(mib);
  ASSERT_EQ(host->input_window().size(), mib);
  for (const std::size_t offset : {std::size_t{0}, std::size_t{8}, std::size_t{65'528}, mib - std::size_t{4096}}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{4096}}) {
      const auto body = place(offset, size);
      const Reply reply = link->call({.type = trapper::echo, .body = body});
      ASSERT_TRUE(reply.ok()) << reply.text;
      ASSERT_EQ(reply.body.size(), size);
      EXPECT_EQ(std::memcmp(reply.body.data(), body.data(), size), 0);
    }
  }
}

TEST_F(Window, AMessageLargerThanTheGuestsMemoryIsReadInIt) {
  mount(64 * mib);  // the trapper may have 16 MiB
  const Reply in_place = link->call({.type = trapper::empty, .body = host->input_window()});
  EXPECT_TRUE(in_place.ok()) << in_place.text;
  const std::vector<std::byte> elsewhere(host->input_window().size());
  EXPECT_EQ(link->call({.type = trapper::empty, .body = elsewhere}).status, SYMPHONY_OVERLOADED);
}

TEST_F(Window, OnlyWhatLiesWhollyInItIsReadInPlace) {
  mount(guest_page_size);
  const auto window = host->input_window();
  const std::span<const std::byte> beyond(window.data() + window.size() - 8, 8);
  const Reply reply = link->call({.type = trapper::echo, .body = beyond});
  ASSERT_TRUE(reply.ok()) << reply.text;
  std::uint32_t at = 0;
  std::shared_ptr<const InputWindow> other;
  ASSERT_TRUE(InputWindow::make(guest_page_size, other).ok());
  const std::byte* end = other->bytes().data() + guest_page_size;
  EXPECT_TRUE(other->holds(end - 8, 8, at));
  EXPECT_EQ(at, InputWindow::address + guest_page_size - 8);
  EXPECT_FALSE(other->holds(end - 8, 9, at));
  EXPECT_FALSE(other->holds(end, 0, at));
  EXPECT_FALSE(other->holds(other->bytes().data() - 1, 2, at));
  EXPECT_FALSE(other->holds(nullptr, 0, at));
}

TEST_F(Window, TheGuestCanPassOnWhatItReadThere) {
  mount(mib);
  const auto body = place(128, 300);
  (void)link->call({.type = trapper::publish_body, .body = body});
  ASSERT_EQ(events.last.size(), body.size());
  EXPECT_EQ(std::memcmp(events.last.data(), body.data(), body.size()), 0);
}

TEST_F(Window, AWriteToItIsATrapAndTheNextInstanceSeesItToo) {
  mount(mib);
  const auto body = place(0, 64);
  const std::vector<std::byte> before(body.begin(), body.end());
  const Reply trapped = order(trapper::write_outside, InputWindow::address + 8);
  EXPECT_EQ(trapped.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(std::string(trapped.text), HasSubstr("0xc0000008"));
  EXPECT_EQ(std::memcmp(body.data(), before.data(), before.size()), 0);
  const Reply reply = link->call({.type = trapper::echo, .body = body});
  ASSERT_TRUE(reply.ok()) << reply.text;
  EXPECT_EQ(std::memcmp(reply.body.data(), before.data(), before.size()), 0);
  EXPECT_EQ(host->rebuilds(), 1u);
}

TEST_F(Window, AReadBehindItIsATrap) {
  mount(mib);
  EXPECT_TRUE(order(trapper::read_outside, InputWindow::address + mib - 1).ok());
  EXPECT_EQ(order(trapper::read_outside, InputWindow::address + mib).status, SYMPHONY_TRAPPED);
}

TEST_F(Window, AStackThatRunsBelowZeroIsATrapUnderTheLargestWindow) {
  mount(InputWindow::size_max);
  EXPECT_EQ(order(trapper::recurse_guest, 0).status, SYMPHONY_TRAPPED);
}

TEST_F(Window, WithoutOneThereIsNothingAtItsPlace) {
  mount(0);
  EXPECT_TRUE(host->input_window().empty());
  EXPECT_EQ(order(trapper::read_outside, InputWindow::address).status, SYMPHONY_TRAPPED);
}

TEST_F(Window, ASizeThatCannotBeIsRefusedWithTheOnesThatCan) {
  WasmOptions options;
  options.window_size = InputWindow::size_max + 1;
  const Outcome outcome = WasmHost::mount(SYMPHONY_WASM_TRAPPER, options, host);
  EXPECT_EQ(outcome.status, SYMPHONY_BAD_STATE);
  EXPECT_THAT(outcome.text, HasSubstr("is not from 1 to 1006632960"));
}

TEST_F(Window, OutlivesTheHostAsLongAsALinkDoes) {
  mount(mib);
  const auto body = place(0, 32);
  host.reset();
  const Reply reply = link->call({.type = trapper::echo, .body = body});
  ASSERT_TRUE(reply.ok()) << reply.text;
  EXPECT_EQ(std::memcmp(reply.body.data(), body.data(), body.size()), 0);
}

}  // namespace
}  // namespace symphony::pit::wasm
