// Instances come and go without a trace, and there is a limit to how many there are.
#include <gmock/gmock.h>

#include <fstream>
#include <string>
#include <symphony/clock.hpp>
#include <vector>

#include "bench/support/figure.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

namespace symphony::pit::wasm {
namespace {

using ::testing::HasSubstr;

// Size of the address space in KiB, and how many mappings it has.
struct Space {
  std::uint64_t size_kib = 0;
  std::uint64_t mappings = 0;
};
Space space_now() {
  Space space;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmSize:", 0) == 0) space.size_kib = std::stoull(line.substr(7));
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) ++space.mappings;
  return space;
}

TEST(WasmInstances, AHundredThousandComeAndGoWithoutGrowth) {
  const auto make_one = [] {
    std::unique_ptr<Instance> instance;
    ASSERT_TRUE(Instance::make(trapper_module().entry(), {.seed = 1}, instance).ok());
  };
  // The square of the share: to a sanitizer, an instance is 8 GiB of shadow to map and to forget.
  const std::uint64_t share = test_run::samples(100);
  const std::uint64_t rounds = 10 * share * share;
  for (int i = 0; i < 100; ++i) make_one();
  const Space before = space_now();
  const TimeNs began = now_ns();
  for (std::uint64_t i = 0; i < rounds; ++i) make_one();
  const Space after = space_now();
  EXPECT_EQ(wasm_instances(), 0u);
  EXPECT_LE(after.mappings, before.mappings + 50) << "one instance has 2";
  const double grown = static_cast<double>(after.size_kib) - static_cast<double>(before.size_kib);
  // Sanitizers, which take a share of the rounds, keep what was freed for a while.
  const double allowed = rounds == 100'000 ? 1024 : 1024 * 1024;
  EXPECT_LE(grown, allowed) << "KiB; one instance has 8 GiB";
  if (rounds < 100'000) return;
  bench::Figure figure;
  figure.name = "contract.wasm.address_space_growth";
  figure.value = grown;
  figure.unit = "KiB";
  figure.n = rounds;
  figure.seconds = static_cast<double>(now_ns() - began) * 1e-9;
  figure.note = "address space of the process after that many instances came and went";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

TEST(WasmInstances, OneMoreThanMayBeIsRefusedWithTheRemedy) {
  WasmLimits limits;
  limits.instances_max = 3;
  std::vector<std::unique_ptr<Running>> alive;
  for (int i = 0; i < 3; ++i) {
    alive.push_back(std::make_unique<Running>(trapper_module().entry(), limits));
    ASSERT_TRUE(alive.back()->outcome.ok());
  }
  Running more(trapper_module().entry(), limits);
  EXPECT_EQ(more.outcome.status, SYMPHONY_OVERLOADED);
  EXPECT_THAT(more.outcome.text, HasSubstr("instances_max"));
  alive.pop_back();
  Running again(trapper_module().entry(), limits);
  EXPECT_TRUE(again.outcome.ok()) << again.outcome.text;
  EXPECT_EQ(again.count(), 1u);
}

}  // namespace
}  // namespace symphony::pit::wasm
