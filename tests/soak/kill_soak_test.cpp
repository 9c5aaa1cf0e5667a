// The kill soak: pit, callers and broker of real realms are killed under load, and everything that callers were told is
// held against what is in the pit's state. What could go wrong: something acknowledged is lost, something is done
// twice, somebody waits for ever.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "bench/support/figure.hpp"
#include "tests/soak/life.hpp"
#include "tests/support/samples.hpp"

namespace symphony::soak {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kills_per_realm = 40;
constexpr int lanes = 2;  // realms at once

// SYMPHONY_KILLS says how many; else 2,000, and in the long lane 50,000.
std::uint64_t kills_wanted() {
  if (const char* given = std::getenv("SYMPHONY_KILLS")) return std::strtoull(given, nullptr, 10);
  return std::getenv("SYMPHONY_LONG") != nullptr ? 50'000 : 2'000;
}

struct Folder {
  Folder() {
    char name[] = "/tmp/symphony-soak-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() {
    std::error_code ignored;
    if (std::getenv("SYMPHONY_KEEP") == nullptr) fs::remove_all(path, ignored);
  }
  fs::path path;
};

void write(const char* name, std::uint64_t value, const Outcome& all, TimeNs begun, const std::string& text) {
  bench::Figure figure;
  figure.name = name;
  figure.value = static_cast<double>(value);
  figure.unit = "count";
  figure.n = all.verdict.calls;
  figure.seed = test_run::seed();
  figure.seconds = static_cast<double>(now_ns() - begun) * 1e-9;
  figure.note = text;
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

std::string numbers(std::initializer_list<std::pair<const char*, std::uint64_t>> all) {
  std::string out;
  for (const auto& [name, value] : all) out += (out.empty() ? "" : ", ") + std::to_string(value) + " " + name;
  return out;
}

TEST(KillSoak, WhoeverIsKilledNothingIsLostOrDoneTwiceAndNobodyHangs) {
  const TimeNs begun = now_ns();
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t wanted = kills_wanted();
  const Folder folder;
  const std::uint64_t realms = (wanted + kills_per_realm - 1) / kills_per_realm;
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  Outcome all;
  const auto lane = [&] {
    for (std::uint64_t i = next++; i < realms; i = next++) {
      const std::uint64_t kills = std::min(kills_per_realm, wanted - i * kills_per_realm);
      const fs::path its = folder.path / ("realm." + std::to_string(i));
      const Outcome one = live(its, seed + i, kills);
      std::error_code ignored;
      if (one.trouble.empty()) fs::remove_all(its, ignored);
      const std::lock_guard lock(mutex);
      all.add(one);
      if (!all.trouble.empty()) next = realms;  // what is wrong once is looked at
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < lanes; ++i) threads.emplace_back(lane);
  for (std::thread& thread : threads) thread.join();

  const Verdict& v = all.verdict;
  const Kills& k = all.kills;
  const std::string who = numbers({{"of the pit", k.pit}, {"of callers", k.caller}, {"of the broker", k.broker}}) +
                          "; pit and broker at once: " + std::to_string(k.both) +
                          "; pit while stopped: " + std::to_string(k.stopped) +
                          ", stopped and continued: " + std::to_string(k.stops);
  const std::string where = numbers({{"in the pit's handler", k.in_handler},
                                     {"in its snapshot", k.in_snapshot},
                                     {"in its restore", k.in_restore},
                                     {"in a caller's call", k.in_call},
                                     {"in its connect or open", k.in_open},
                                     {"of the broker in an attach or start", k.in_attach}});
  std::printf("%s kills: %s\ninside an operation: %s (and %s of a pit before its first message)\n",
              std::to_string(k.all()).c_str(), who.c_str(), where.c_str(), std::to_string(k.at_start).c_str());
  std::printf("%s\n", numbers({{"realms", realms},
                               {"incarnations of callers", all.incarnations},
                               {"calls", v.calls},
                               {"acknowledged", v.acknowledged},
                               {"reads", v.reads},
                               {"refused", v.failed},
                               {"unknown", v.unknown},
                               {"of these in the state", v.unknown_in_state}})
                          .c_str());
  std::printf("%s\n", numbers({{"lost", v.lost},
                               {"duplicated", v.duplicated},
                               {"unexpected", v.unexpected},
                               {"holes", v.hole},
                               {"reordered", v.reordered},
                               {"moved", v.moved},
                               {"stale", v.stale},
                               {"contradicted", v.contradicted},
                               {"odd", v.odd},
                               {"torn", v.torn}})
                          .c_str());
  std::string examples;
  for (const std::string& example : v.examples) examples += example + "\n";
  EXPECT_EQ(all.trouble, "");
  EXPECT_EQ(v.wrong(), 0u) << examples;
  ASSERT_GE(k.all(), wanted);
  EXPECT_GE(v.calls, wanted * calls_per_kill);
  EXPECT_GE(v.acknowledged, 1u);
  if (wanted >= 1000) {
    for (const std::uint64_t count :
         {k.pit, k.caller, k.broker, k.both, k.stopped, k.in_handler, k.in_call, k.in_open, k.in_attach}) {
      EXPECT_GE(count, 10u) << "a kind of death that hardly happened: " << who << "; " << where;
    }
  }
  write("bus.kills", k.all(), all, begun, who);
  write("bus.kills_inside", k.inside(), all, begun, where);
  write("bus.lost", v.lost + v.hole + v.stale, all, begun,
        "calls that were answered and are not in the state, holes, stale reads");
  write("bus.duplicated", v.duplicated + v.moved, all, begun,
        "calls that are in the state twice, or at another place than was answered");
  write("bus.unexpected", v.unexpected + v.reordered + v.contradicted + v.odd + v.torn, all, begun,
        "in the state and never made, out of order, or told to have failed; endings that nothing explains; torn "
        "messages");
}

}  // namespace
}  // namespace symphony::soak
