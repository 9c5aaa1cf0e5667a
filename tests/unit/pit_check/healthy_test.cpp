// Our pits keep to the contract in every mode that there is, and no case is skipped for them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/support/figure.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/pit_check/suite.hpp"

SYMPHONY_DECLARE_PIT(greeter);
SYMPHONY_DECLARE_PIT(dag_tracker);
SYMPHONY_DECLARE_PIT(pool_manager);
SYMPHONY_DECLARE_PIT(faulty);

namespace symphony::pit_check {
namespace {

struct OurPit {
  const char* file;
  const symphony_pit_entry* linked;
};
const OurPit our_pits[] = {{SYMPHONY_PITS "/greeter.so", symphony_pit_greeter()},
                           {SYMPHONY_PITS "/dag_tracker.so", symphony_pit_dag_tracker()},
                           {SYMPHONY_PITS "/pool_manager.so", symphony_pit_pool_manager()},
                           {SYMPHONY_TEST_PITS "/faulty.so", symphony_pit_faulty()}};

// Those of this build: a tree without the tools for WebAssembly says so when it is configured.
std::vector<const char*> modes_built() {
#if defined(SYMPHONY_WASM_BUILT)
  return {"static", "dynamic", "wasm", "process"};
#else
  return {"static", "dynamic", "process"};
#endif
}

class OurPits : public testing::TestWithParam<const char*> {};

TEST_P(OurPits, PassEveryCaseOfTheSuite) {
  const std::string mode = GetParam();
  const TimeNs before = now_ns();
  const bool all = test_run::samples(100) == 100;
  std::uint32_t passed = 0, skipped = 0, total = 0;
  for (const OurPit& pit : our_pits) {
    // Each case starts a broker, a keeper and a host: what a sanitizer sees of them is the same whatever the pit.
    if (!all && mode == "process" && !std::string_view(pit.file).ends_with("/dag_tracker.so")) continue;
    SCOPED_TRACE(pit.file);
    const Report report =
        test::run(pit.file, mode, {}, 120 * second_ns, pit.linked, static_cast<std::uint32_t>(test_run::samples(100)));
    ASSERT_EQ(report.modes.size(), 1u);
    for (const CaseResult& result : report.cases) {
      EXPECT_EQ(to_string(result.verdict), "passed") << result.name << ": " << result.text << "\n" << result.output;
    }
    EXPECT_GE(report.modes[0].total(), 45u) << report.modes[0].missing;
    passed += report.modes[0].passed;
    skipped += report.modes[0].skipped;
    total += report.modes[0].total();
  }
  if (!all) return;
  bench::Figure figure;
  figure.name = "contract.conformance." + mode;
  figure.value = passed;
  figure.of = total;
  figure.unit = "count";
  figure.n = total;
  figure.seed = test_run::seed();
  figure.seconds = static_cast<double>(now_ns() - before) / 1e9;
  figure.note = "cases of symphony pit check passed by greeter, dag_tracker, pool_manager and a pit in plain C; " +
                std::to_string(skipped) + " skipped";
  EXPECT_TRUE(bench::write_figure(figure));
}

INSTANTIATE_TEST_SUITE_P(Modes, OurPits, testing::ValuesIn(modes_built()),
                         [](const auto& of) { return std::string(of.param); });

TEST(Suite, AModeThatCannotBeRunHasAReasonAndNoVerdict) {
  struct Missing {
    const char* file;
    const char* mode;
    const char* reason;
  };
  for (const Missing& at : {
         Missing{SYMPHONY_PITS "/greeter.so", "static", "link symphony_static_greeter"},
             {SYMPHONY_TEST_PITS "/no_state.so", "wasm", "there is no"},
#if defined(SYMPHONY_WASM_BUILT)
             {SYMPHONY_PITS "/greeter_wasm.so", "dynamic", "by way of WebAssembly"}, {
           SYMPHONY_PITS "/greeter_wasm.so", "process", "by way of WebAssembly"
         }
#endif
       }) {
    const Report report = test::run(at.file, at.mode);
    ASSERT_EQ(report.modes.size(), 1u);
    EXPECT_NE(report.modes[0].missing.find(at.reason), std::string::npos) << at.mode << report.modes[0].missing;
    EXPECT_TRUE(report.cases.empty());
    EXPECT_FALSE(report.ok()) << "nothing was checked, so nothing is sound";
  }
}

TEST(Suite, ACaseGivesTheSameVerdictAgainWithTheSameSeed) {
  const Report a = test::run(SYMPHONY_PITS "/greeter.so", "dynamic", "snapshot");
  const Report b = test::run(SYMPHONY_PITS "/greeter.so", "dynamic", "snapshot");
  ASSERT_EQ(a.cases.size(), b.cases.size());
  for (std::size_t i = 0; i < a.cases.size(); ++i) EXPECT_EQ(a.cases[i].text, b.cases[i].text) << a.cases[i].name;
}

TEST(Suite, APitWithoutSnapshotsIsSkippedWhereItNeedsThemAndPassesTheRest) {
  const Report report = test::run(SYMPHONY_TEST_PITS "/no_state.so", "dynamic");
  ASSERT_EQ(report.modes.size(), 1u);
  EXPECT_EQ(report.modes[0].failed, 0u);
  EXPECT_GT(report.modes[0].skipped, 10u);
  EXPECT_GT(report.modes[0].passed, 30u);
  for (const CaseResult& result : report.cases) {
    EXPECT_NE(result.verdict, Verdict::failed) << result.name << ": " << result.text;
    if (result.verdict == Verdict::skipped) {
      EXPECT_EQ(result.text, "the pit keeps no snapshots") << result.name;
    }
  }
}

}  // namespace
}  // namespace symphony::pit_check
