// The mode as its users see it: calls go on after a trap, with the state that was last kept.
#include "pits/hosting/wasm/wasm_host.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

namespace symphony::pit::wasm {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<WasmHost> mounted(const WasmOptions& options = {}) {
  std::unique_ptr<WasmHost> host;
  const Outcome outcome = WasmHost::mount(SYMPHONY_WASM_TRAPPER, options, host);
  EXPECT_TRUE(outcome.ok()) << outcome.text;
  return host;
}
std::unique_ptr<Link> link_to(Host& host) {
  std::unique_ptr<Link> link;
  EXPECT_TRUE(host.open(link).ok());
  return link;
}
std::uint64_t count(Link& link) {
  const Reply reply = link.call({.type = trapper::count});
  EXPECT_TRUE(reply.ok()) << reply.text;
  std::uint64_t sum = 0;
  if (reply.body.size() == sizeof sum) std::memcpy(&sum, reply.body.data(), sizeof sum);
  return sum;
}
std::int32_t order(Link& link, trapper::Order what, std::uint64_t number = 0) {
  return link.call({.type = what, .body = std::as_bytes(std::span(&number, 1))}).status;
}

TEST(WasmHost, SaysWhoIsMounted) {
  const auto host = mounted();
  EXPECT_EQ(host->mode(), "wasm");
  EXPECT_EQ(host->info().name, "trapper");
  EXPECT_EQ(host->info().state_revision, 1u);
}

TEST(WasmHost, AfterATrapTheNextCallFindsTheStateOfTheMount) {
  const auto host = mounted();
  const auto link = link_to(*host);
  EXPECT_EQ(count(*link), 1u);
  EXPECT_EQ(count(*link), 2u);
  const Reply trapped = link->call({.type = trapper::call_abort});
  EXPECT_EQ(trapped.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(std::string(trapped.text), HasSubstr("there is no plan for this"));
  EXPECT_EQ(count(*link), 1u);
  EXPECT_EQ(host->rebuilds(), 1u);
}

TEST(WasmHost, ASnapshotIsWhatATrapFallsBackTo) {
  const auto host = mounted();
  const auto link = link_to(*host);
  EXPECT_EQ(count(*link), 1u);
  Snapshot kept;
  ASSERT_TRUE(host->snapshot(kept).ok());
  EXPECT_EQ(count(*link), 2u);
  EXPECT_EQ(order(*link, trapper::divide_by_zero), SYMPHONY_TRAPPED);
  EXPECT_EQ(count(*link), 2u);
  ASSERT_TRUE(host->restore(kept).ok());
  EXPECT_EQ(count(*link), 2u);
}

TEST(WasmHost, WithACheckpointAfterEachMessageATrapLosesNothing) {
  WasmOptions options;
  options.checkpoint_after = 1;
  const auto host = mounted(options);
  const auto link = link_to(*host);
  for (std::uint64_t i = 1; i <= 50; ++i) {
    EXPECT_EQ(count(*link), i);
    EXPECT_EQ(order(*link, trapper::call_null), SYMPHONY_TRAPPED);
  }
  EXPECT_EQ(host->rebuilds(), 50u);
}

TEST(WasmHost, APitThatCannotBeStartedAgainRefusesCallsWithTheReasonUntilAGoodStateComes) {
  // The state that is kept makes restore() itself trap.
  const std::uint64_t fatal = 665;
  Snapshot state{1, {}, {}};
  state.bytes.resize(sizeof fatal);
  std::memcpy(state.bytes.data(), &fatal, sizeof fatal);
  WasmOptions options;
  options.restore = &state;
  options.checkpoint_after = 1;
  const auto host = mounted(options);
  const auto link = link_to(*host);
  EXPECT_EQ(count(*link), 666u);
  EXPECT_EQ(order(*link, trapper::call_abort), SYMPHONY_TRAPPED);
  const Reply refused = link->call({.type = trapper::count});
  EXPECT_EQ(refused.status, SYMPHONY_QUARANTINED);
  EXPECT_THAT(std::string(refused.text), HasSubstr("trapped in restore()"));
  EXPECT_THAT(std::string(refused.text), HasSubstr("restore a good state"));
  ASSERT_TRUE(host->restore(state).ok());
  EXPECT_EQ(count(*link), 666u);
}

TEST(WasmHost, AfterATrapTheControlSideFindsTheNextInstance) {
  const auto host = mounted();
  const auto link = link_to(*host);
  EXPECT_EQ(count(*link), 1u);
  Snapshot kept;
  ASSERT_TRUE(host->snapshot(kept).ok());
  EXPECT_EQ(count(*link), 2u);
  EXPECT_EQ(order(*link, trapper::call_abort), SYMPHONY_TRAPPED);
  Snapshot again;
  ASSERT_TRUE(host->snapshot(again).ok());
  EXPECT_EQ(again.bytes, kept.bytes);
  EXPECT_EQ(order(*link, trapper::in_next_hook, trapper::call_abort), SYMPHONY_OK);
  const Outcome drained = host->drain(no_deadline_ns);
  EXPECT_EQ(drained.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(drained.text, HasSubstr("trapped in drain()"));
  EXPECT_EQ(count(*link), 2u) << "the very next call is served";
  EXPECT_TRUE(host->drain(no_deadline_ns).ok());
  EXPECT_TRUE(host->stop().ok());
  EXPECT_EQ(host->rebuilds(), 2u);
}

TEST(WasmHost, ARestoreThatTrapsLeavesTheOldStateAlone) {
  const auto host = mounted();
  const auto link = link_to(*host);
  EXPECT_EQ(count(*link), 1u);
  const std::uint64_t fatal = 666;
  Snapshot state{1, {}, {}};
  state.bytes.resize(sizeof fatal);
  std::memcpy(state.bytes.data(), &fatal, sizeof fatal);
  EXPECT_EQ(host->restore(state).status, SYMPHONY_TRAPPED);
  EXPECT_EQ(count(*link), 2u);
}

TEST(WasmHost, ManyThreadsGoOnWhileSomeOfTheirCallsTrap) {
  const auto host = mounted();
  std::atomic<std::uint64_t> trapped{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto link = link_to(*host);
      for (int i = 0; i < 500; ++i) {
        if ((i + t) % 10 == 0) {
          if (order(*link, trapper::divide_overflow) != SYMPHONY_TRAPPED) ++wrong;
          ++trapped;
        } else if (!link->call({.type = trapper::count}).ok()) {
          ++wrong;
        }
      }
      if (link->tally().calls != link->tally().ended) ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(host->rebuilds(), trapped);
}

TEST(WasmHost, WhatIsNoPitIsRefusedWithAReason) {
  std::unique_ptr<WasmHost> host;
  const Outcome missing = WasmHost::mount("/nowhere/none_wasm.so", {}, host);
  EXPECT_EQ(missing.status, SYMPHONY_UNREACHABLE);
  EXPECT_THAT(missing.text, HasSubstr("none_wasm.so"));
  const Outcome other = WasmHost::mount(SYMPHONY_NATIVE_TRAPPER, {}, host);
  EXPECT_EQ(other.status, SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(other.text, HasSubstr("no pit compiled by way of WebAssembly"));
  EXPECT_EQ(host, nullptr);
}

}  // namespace
}  // namespace symphony::pit::wasm
