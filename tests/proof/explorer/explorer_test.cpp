// The production ring, doorbell and channel in every execution of each scenario, and broken ones that are caught.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "bench/support/figure.hpp"
#include "tests/proof/explorer/mutants.hpp"
#include "tests/proof/explorer/scenario.hpp"
#include "tests/proof/explorer/site_names.hpp"

namespace symphony::proof {
namespace {

using Count = unsigned long long;

bool is_long() { return std::getenv("SYMPHONY_LONG") != nullptr; }

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void write(const char* name, std::uint64_t value, std::optional<double> of, std::uint64_t n, const Stopwatch& watch,
           const std::string& note) {
  const auto written = bench::write_figure({.name = name,
                                            .value = static_cast<double>(value),
                                            .of = of,
                                            .unit = "count",
                                            .n = n,
                                            .seed = std::nullopt,
                                            .seconds = watch.seconds(),
                                            .note = note});
  EXPECT_TRUE(written) << written.error().text;
}

// What went wrong: no scenario may be cut short, none may find a fault, none may be empty.
TEST(RingExplorer, EveryExecutionOfEveryScenarioKeepsThePromisesAndTouchesEverySite) {
  const Stopwatch watch;
  Explorer explorer;
  std::uint64_t exhausted = 0;
  std::uint64_t executions = 0;
  std::string bounds;
  const auto scenarios = all_scenarios(is_long());
  std::printf("%-26s %12s %12s  bounds\n", "scenario", "executions", "dead ends");
  for (const Scenario& s : scenarios) {
    const Exploration result = explorer.explore(s.threads, s.make);
    std::printf("%-26s %12llu %12llu  %s\n", s.name.c_str(), static_cast<Count>(result.executions),
                static_cast<Count>(result.dead_ends), s.bounds.c_str());
    EXPECT_EQ(result.violation, "") << s.name;
    EXPECT_GT(result.executions, 1u) << s.name << " has nothing to explore";
    if (result.exhausted) ++exhausted;
    executions += result.executions;
    bounds += (bounds.empty() ? "" : "; ") + s.name + ": " + s.bounds;
  }
  EXPECT_EQ(exhausted, scenarios.size());
  EXPECT_GE(scenarios.size(), 15u);
  write("ring.scenarios_exhausted", exhausted, static_cast<double>(scenarios.size()), scenarios.size(), watch, bounds);
  write("ring.interleavings", executions, std::nullopt, scenarios.size(), watch,
        "executions that differ in what some load reads or where a side dies; each stands for all interleavings of it");

  for (const Site site : all_sites()) {
    // Of a state the reader comes when its writer is dead: there is nothing to interleave (tests/proof/state).
    if (site == Site::journal || site == Site::journal_next || site == Site::generation) continue;
    EXPECT_TRUE(std::any_of(explorer.touched().begin(), explorer.touched().end(),
                            [&](const OrderedAccess& a) { return a.site == site; }))
        << "no scenario touches Site::" << site_name(site) << ": add one";
  }
  // And each ordered access has its mutant, so that a new one cannot stay untested.
  const auto mutants = order_mutants();
  for (const OrderedAccess& a : explorer.touched()) {
    EXPECT_TRUE(a.order == Order::relaxed ||
                std::any_of(mutants.begin(), mutants.end(), [&](const Mutant& m) { return m.mutation.at == a; }))
        << "no mutant weakens " << site_name(a.site) << (a.access == Access::load ? " load " : " store ")
        << order_name(a.order);
  }
}

std::uint64_t count_caught(const std::vector<Mutant>& mutants) {
  Explorer explorer;
  const auto scenarios = all_scenarios(false);
  std::uint64_t caught = 0;
  for (const Mutant& mutant : mutants) {
    const auto s = std::find_if(scenarios.begin(), scenarios.end(),
                                [&](const Scenario& candidate) { return candidate.name == mutant.caught_by; });
    if (s == scenarios.end()) {
      ADD_FAILURE() << mutant.name << ": there is no scenario " << mutant.caught_by;
      continue;
    }
    const Exploration result = explorer.explore(s->threads, s->make, mutant.mutation);
    const std::string how = result.violation.substr(0, result.violation.find('\n'));
    std::printf("%-52s %-24s %8llu  %s\n", mutant.name.c_str(), s->name.c_str(), static_cast<Count>(result.executions),
                how.empty() ? "NOT CAUGHT" : how.c_str());
    EXPECT_NE(result.violation, "") << mutant.name << " is not caught by " << s->name;
    if (!result.violation.empty()) ++caught;
  }
  return caught;
}

TEST(RingExplorer, EveryOrderThatIsMadeWeakerIsCaught) {
  const Stopwatch watch;
  const auto mutants = order_mutants();
  const std::uint64_t caught = count_caught(mutants);
  EXPECT_GE(mutants.size(), 12u);
  EXPECT_EQ(caught, mutants.size());
  write("ring.ordering_mutants", caught, static_cast<double>(mutants.size()), mutants.size(), watch,
        "one access weaker in each, on all sides at once; a scenario is named for each");
}

TEST(RingExplorer, EveryStepThatIsLeftOutOrMovedIsCaught) {
  const Stopwatch watch;
  const auto mutants = code_mutants();
  const std::uint64_t caught = count_caught(mutants);
  EXPECT_EQ(caught, mutants.size());
  write("ring.code_mutants", caught, static_cast<double>(mutants.size()), mutants.size(), watch,
        "stores left out, steps moved, rules not kept");
}

}  // namespace
}  // namespace symphony::proof
