// The set of pits as bytes: what could go wrong is a field that is lost on the way, or a writer that is killed.
#include "bus/broker/pit_slots.hpp"

#include <gtest/gtest.h>

#include "bus/broker/core_types.hpp"

namespace symphony::detail::broker {
namespace {

PitConfig full() {
  PitConfig pit;
  pit.name = "pool";
  pit.executable = "/pits/pool";
  pit.args = {"-v", ""};
  pit.config = "{\"a\": 1}";
  pit.environment = {"A=1"};
  pit.trust = Trust::hostile;
  pit.waiting = Waiting::spin;
  pit.placement = Placement::same_core;
  pit.sandbox = {SandboxProfile::ring, 5};
  pit.calls = {"greeter", "other"};
  pit.callers = {"programs"};
  pit.instances = 2;
  pit.start_at_once = false;
  pit.restart = {1, 2, 3, 4, 5, RestartStrategy::rest_for_one, 6, "stub"};
  pit.budgets = {6, {{7, 8}, {9, 10}}};
  pit.rings = {11, 12};
  return pit;
}

TEST(PitSlots, ComeBackAsTheyWere) {
  const std::vector<PitConfig> slots{full(), PitConfig{}, full()};
  const auto back = decode_slots(encode_slots(slots));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, slots);
}

TEST(PitSlots, CutOrDamagedAreRefusedOrSomethingElseButNeverReadOutside) {
  const auto whole = encode_slots({full()});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_slots(cut)) << size;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto bytes = whole;
    bytes[i] ^= std::byte{0xff};
    (void)decode_slots(bytes);  // AddressSanitizer looks on
  }
}

TEST(PitSlots, OfAnyOtherConfigurationHaveAnotherFingerprint) {
  const PitConfig was = full();
  EXPECT_EQ(fingerprint(was), fingerprint(full()));
  for (const auto& change : std::vector<void (*)(PitConfig&)>{
           [](PitConfig& p) { p.executable += "x"; }, [](PitConfig& p) { p.args.pop_back(); },
           [](PitConfig& p) { p.config.clear(); }, [](PitConfig& p) { p.environment.clear(); },
           [](PitConfig& p) { p.sandbox.profile = SandboxProfile::heap; }, [](PitConfig& p) { p.sandbox.required = 6; },
           [](PitConfig& p) { p.trust = Trust::trusted; }, [](PitConfig& p) { p.waiting = Waiting::sleep; },
           [](PitConfig& p) { p.placement = Placement::automatic; }, [](PitConfig& p) { p.calls = {"greeterother"}; },
           [](PitConfig& p) { p.callers.clear(); }, [](PitConfig& p) { p.start_at_once = true; },
           [](PitConfig& p) { p.restart.window_ns = 9; }, [](PitConfig& p) { p.budgets.each_ns = 9; },
           [](PitConfig& p) { p.budgets.of_types.pop_back(); }, [](PitConfig& p) { p.budgets.of_types[1].ns = 9; },
           [](PitConfig& p) { p.rings.request_capacity = 9; }, [](PitConfig& p) { p.rings.reply_capacity = 9; }}) {
    PitConfig other = was;
    change(other);
    EXPECT_NE(fingerprint(other), fingerprint(was));
    EXPECT_FALSE(other == was);
  }
}

TEST(SlotStore, HasNothingBeforeTheFirstReloadThenTheLast) {
  const auto store = SlotStore::make().value();
  EXPECT_FALSE(store.read());
  for (std::uint32_t n = 1; n <= 5; ++n) {
    std::vector<PitConfig> slots(n, full());
    ASSERT_TRUE(store.write(slots));
    EXPECT_EQ(store.read().value().slots, slots) << n;
  }
}

TEST(SlotStore, RefusesMoreThanItHolds) {
  const auto store = SlotStore::make().value();
  ASSERT_TRUE(store.write({full()}));
  PitConfig large = full();
  large.config.assign(5UL << 20, 'x');
  EXPECT_EQ(store.write({large}).error().code, errc::too_large);
  EXPECT_EQ(store.read()->slots.size(), 1U) << "what was there stays";
}

}  // namespace
}  // namespace symphony::detail::broker
