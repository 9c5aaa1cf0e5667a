// What could go wrong: a death, a delay or a lie between two particular messages leaves an open without an end, a link
// with one end, a call that runs twice, memory that nobody frees. Shown by many schedules, each from one seed.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <fstream>
#include <iterator>
#include <sstream>

#include "bench/support/figure.hpp"
#include "mutants.hpp"
#include "tests/proof/simulator/world.hpp"
#include "tests/support/samples.hpp"

namespace symphony::proof {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += "  " + line + "\n";
  return all;
}

unsigned long long printable(std::uint64_t n) { return n; }

template <class State>
const char* state_name(std::size_t state);
template <>
const char* state_name<PitState>(std::size_t state) {
  return detail::broker::name_of(static_cast<PitState>(state));
}
template <>
const char* state_name<LinkState>(std::size_t state) {
  constexpr const char* names[] = {"waiting", "making", "owning", "sealing", "peering", "open", "closing"};
  return names[state];
}

// How often each move was made. Those of the table that nobody made, and how often the rarest other one was.
template <class State, std::size_t n>
std::uint64_t print_moves(const char* title, const std::array<std::array<std::uint64_t, n>, n>& moves) {
  std::printf("%-12s", title);
  for (std::size_t to = 0; to < n; ++to) std::printf("%12s", state_name<State>(to));
  std::printf("\n");
  std::uint64_t fewest = ~std::uint64_t{0};
  for (std::size_t from = 0; from < n; ++from) {
    std::printf("%-12s", state_name<State>(from));
    for (std::size_t to = 0; to < n; ++to) {
      const bool may = may_become(static_cast<State>(from), static_cast<State>(to));
      if (may) fewest = std::min(fewest, moves[from][to]);
      if (may) {
        std::printf("%12llu", printable(moves[from][to]));
      } else {
        std::printf("%12s", "-");
      }
    }
    std::printf("\n");
  }
  return fewest;
}

std::uint64_t print_faults() {
  std::uint64_t fewest = ~std::uint64_t{0};
  for (std::size_t f = 0; f < fault_count; ++f) {
    std::printf("  %-50s %10llu\n", name_of(static_cast<Fault>(f)), printable(seen.faults[f]));
    fewest = std::min(fewest, seen.faults[f]);
  }
  return fewest;
}

std::uint64_t print_calls() {
  constexpr const char* names[] = {"in the state", "sent again: not begun", "sent again: was executing",
                                   "crashed",      "crashed, accepted",     "poisoned",
                                   "tried alone"};
  std::printf("  %-50s %10llu, answered %llu\n", "calls", printable(seen.calls), printable(seen.answered));
  std::printf("  %-50s %10llu, harmless %llu, parked %llu\n", "had an instance alone", printable(seen.tried_alone),
              printable(seen.harmless_alone), printable(seen.parked));
  std::printf("  %-50s %10llu, by the next broker %llu, passed %llu\n", "probations: the file before goes on",
              printable(seen.rolled_back), printable(seen.rolled_back_by_the_next), printable(seen.passed));
  std::printf("  %-50s %10llu, cancelled and went on %llu\n", "killed for hanging", printable(seen.hung),
              printable(seen.heeded));
  std::printf("  %-50s %10llu\n", "killed for hanging in a timer", printable(seen.hung_in_timers));
  std::printf("  %-50s %10llu; links to a fallback %llu, and home %llu\n", "began anew with what they need",
              printable(seen.restarted_with_needed), printable(seen.stood_in), printable(seen.came_home));
  // That a link comes home is rare within so few steps: the core's own tests reach it.
  std::uint64_t fewest = std::min({seen.hung, seen.hung_in_timers, seen.restarted_with_needed, seen.stood_in,
                                   seen.heeded, seen.tried_alone, seen.harmless_alone, seen.parked, seen.rolled_back,
                                   seen.rolled_back_by_the_next, seen.passed});
  for (std::size_t v = 0; v < verdict_count; ++v) {
    std::printf("  judged: %-42s %10llu\n", names[v], printable(seen.verdicts[v]));
    fewest = std::min(fewest, seen.verdicts[v]);
  }
  return fewest;
}

class BrokerSimulation : public testing::Test {
 protected:
  void SetUp() override { mutants::chosen = -1; }
};

TEST_F(BrokerSimulation, HoldsForSeedsThatFailedOnce) {
  std::ifstream file(SYMPHONY_SIMULATOR_SEEDS);
  ASSERT_TRUE(file.good());
  World world;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::uint64_t seed = std::stoull(line);
    const World::Result result = world.run({.seed = seed});
    EXPECT_TRUE(result.violations.empty()) << "seed " << line << "\n" << joined(result.violations);
  }
  // SYMPHONY_TRACE=seed prints what the core hears and says in that schedule.
  const char* const traced = std::getenv("SYMPHONY_TRACE");
  if (traced == nullptr) return;
  const World::Result result = world.run({.seed = std::strtoull(traced, nullptr, 10), .tells = true});
  EXPECT_TRUE(result.violations.empty()) << joined(result.violations);
}

TEST_F(BrokerSimulation, IsOneHistoryForOneSeed) {
  const std::uint64_t first = test_run::seed();
  for (std::uint64_t seed = first; seed < first + 50; ++seed) {
    std::uint64_t hashes[2];
    for (auto& hash : hashes) {
      World world;
      const World::Result result = world.run({.seed = seed, .traced = true});
      hash = result.hash;
    }
    EXPECT_EQ(hashes[0], hashes[1]) << "seed " << seed;
    World other;
    EXPECT_NE(other.run({.seed = seed + 1000, .traced = true}).hash, hashes[0]) << "seed " << seed;
  }
}

// The same world twice, the second time after others: nothing of them is left in it.
TEST_F(BrokerSimulation, ForgetsTheWorldsBefore) {
  World fresh, used;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) (void)used.run({.seed = seed});
  EXPECT_EQ(fresh.run({.seed = 77, .traced = true}).hash, used.run({.seed = 77, .traced = true}).hash);
}

TEST_F(BrokerSimulation, EveryOpenEndsAndNothingIsLeftWhateverBreaksAtWhateverStep) {
  World world;
  std::uint64_t schedules = 0, steps = 0;
  for (const Fault fault : {Fault::pit_killed, Fault::caller_killed, Fault::broker_killed, Fault::caller_cut_off,
                            Fault::stop_all, Fault::keeper_lost}) {
    for (std::uint64_t seed = 1; seed <= test_run::samples(8); ++seed) {
      for (std::size_t at = 0; at < 120; at += test_run::every(), ++schedules) {
        const World::Result result = world.run({.seed = seed, .steps = 120, .only = fault, .only_at = at});
        steps += result.steps;
        ASSERT_TRUE(result.violations.empty()) << name_of(fault) << " before step " << at << ", seed " << seed << "\n"
                                               << joined(result.violations);
      }
    }
  }
  std::printf("%llu schedules, %llu steps\n", printable(schedules), printable(steps));
}

TEST_F(BrokerSimulation, HoldsInEverySchedule) {
  constexpr std::uint64_t steps_min = 300, times_each_min = 1000;
  // Sanitizers take a hundred times as long: a share of a share.
  const std::uint64_t all = 100'000, schedules = test_run::samples(test_run::samples(all)), first = test_run::seed();
  World world;
  seen = {};
  std::uint64_t steps = 0, core_steps = 0, fewest_steps = ~std::uint64_t{0}, bad = 0;
  const TimeNs start = now_ns();
  for (std::uint64_t i = 0; i < schedules && bad < 5; ++i) {
    const World::Result result = world.run({.seed = first + i});
    steps += result.steps;
    core_steps += result.core_steps;
    if (result.violations.empty()) {
      fewest_steps = std::min<std::uint64_t>(fewest_steps, result.steps);
    } else {
      ++bad;
      ADD_FAILURE() << "seed " << first + i << ": keep it in tests/proof/simulator/seeds.txt\n"
                    << joined(result.violations);
    }
  }
  const double seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  std::printf("%llu schedules, %llu steps, %llu of them the core's, %.1f s\n\n", printable(schedules), printable(steps),
              printable(core_steps), seconds);
  const std::uint64_t fewest =
      std::min({print_moves<PitState>("pits", seen.pit_moves), print_moves<LinkState>("links", seen.link_moves),
                print_faults(), print_calls()});
  EXPECT_GE(fewest_steps, steps_min);
  if (schedules < all || bad != 0) return;
  EXPECT_GE(fewest, times_each_min) << "a move of the tables, or a fault, that hardly ever happens: see above";
  bench::Figure figure;
  figure.name = "broker.schedules";
  figure.value = static_cast<double>(schedules);
  figure.unit = "count";
  figure.n = schedules;
  figure.seed = first;
  figure.seconds = seconds;
  std::ostringstream note;
  note << "schedules of the broker's core with 3 pits and 2 to 4 callers, without a violation; " << steps
       << " steps, at least " << fewest_steps << " each, " << core_steps
       << " of them the core's; the rarest move or fault came " << fewest << " times";
  figure.note = note.str();
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

// ---- that it can fail: in the release preset; a mutant is found before it does harm ----
#ifdef SYMPHONY_SIMULATOR_MUTANTS

// In a process of its own: a mutant may abort or never end.
std::string first_violation_of(int mutant, std::uint64_t seeds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    mutants::chosen = mutant;
    World world;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const itimerval limit{{0, 0}, {2, 0}};  // of processor time
      ::setitimer(ITIMER_PROF, &limit, nullptr);
      std::string found;
      try {
        const World::Result result = world.run({.seed = seed});
        if (!result.violations.empty()) found = result.violations.front();
      } catch (const std::exception& e) {
        found = std::string("the core throws: ") + e.what();
      }
      if (found.empty()) continue;
      const std::string text = "seed " + std::to_string(seed) + ", " + found;
      (void)!::write(ends[1], text.data(), text.size());
      ::_exit(3);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status) == 3 ? text : "";
  if (WTERMSIG(status) == SIGPROF) return "a step of the core has no end";
  return "the core stops itself: " + text.substr(0, text.find('\n'));
}

TEST_F(BrokerSimulation, FindsEachRuleThatIsBroken) {
  constexpr auto count = std::size(mutants::names);
  std::size_t found = 0;
  const TimeNs start = now_ns();
  ASSERT_EQ(first_violation_of(-1, 5'000), "") << "without a mutant";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string violation = first_violation_of(static_cast<int>(i), 40'000);
    EXPECT_NE(violation, "") << mutants::names[i] << " was not caught";
    found += !violation.empty();
    std::printf("%-60s %s\n", mutants::names[i], violation.empty() ? "NOT CAUGHT" : violation.c_str());
  }
  bench::Figure figure;
  figure.name = "broker.mutants";
  figure.value = static_cast<double>(found);
  figure.of = static_cast<double>(count);
  figure.unit = "count";
  figure.n = count;
  figure.seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  figure.note = "rules of the broker's core, each broken once, and found by some schedule";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}
#endif

}  // namespace
}  // namespace symphony::proof
