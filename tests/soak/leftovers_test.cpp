// What deaths leave behind. What could go wrong: each leaves a descriptor, a mapping or a page at those who live on, or
// a name on the machine, and after a day of them there is no room.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "bench/support/figure.hpp"
#include "tests/soak/killer.hpp"
#include "tests/support/samples.hpp"

namespace symphony::soak {
namespace {

namespace fs = std::filesystem;

// What one process holds, by kind.
struct Holdings {
  std::map<std::string, int> descriptors;  // "socket", "/memfd:x", "anon_inode:[pidfd]" ... and how many
  std::map<std::string, int> mappings;     // of shared memory, by name
  std::size_t private_mappings = 0;
  std::size_t threads = 0;
  std::size_t resident_kib = 0;
};

// The same thing in another instance or process has another number behind it.
std::string kind_of(std::string target) {
  const auto bracket = target.find(":[");
  if (bracket != std::string::npos && target.rfind("anon_inode", 0) != 0) target.resize(bracket);
  return target;
}

Holdings holdings_of(pid_t pid) {
  Holdings out;
  const fs::path proc = "/proc/" + std::to_string(pid);
  std::error_code ignored;
  for (const auto& fd : fs::directory_iterator(proc / "fd", ignored)) {
    const auto target = fs::read_symlink(fd.path(), ignored);
    if (!ignored) ++out.descriptors[kind_of(target.string())];
  }
  for (const auto& task : fs::directory_iterator(proc / "task", ignored)) out.threads += task.exists() ? 1 : 0;
  std::ifstream maps(proc / "maps");
  for (std::string line; std::getline(maps, line);) {
    const bool is_shared = line.find("s ", line.find(' ') + 1) == line.find(' ') + 4;
    const auto name = line.find('/');
    if (is_shared) {
      ++out.mappings[name == std::string::npos ? "" : line.substr(name)];
    } else {
      ++out.private_mappings;
    }
  }
  std::ifstream status(proc / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) out.resident_kib = std::strtoul(line.c_str() + 6, nullptr, 10);
  }
  return out;
}

template <class Counts>
std::string text_of(const Counts& counts) {
  std::string out;
  for (const auto& [name, count] : counts) out += "  " + std::to_string(count) + " " + name + "\n";
  return out;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) out.insert(entry.path().string());
  return out;
}

struct World {
  std::map<std::string, Holdings> processes;
  std::set<std::string> shm, realm;
};

World look_at(Realm& realm, pid_t living_caller) {
  World world;
  world.processes["keeper"] = holdings_of(realm.keeper());
  world.processes["broker"] = holdings_of(realm.broker().pid);
  world.processes["pit"] = holdings_of(realm.pit().pid);
  world.processes["caller"] = holdings_of(living_caller);
  world.shm = names_in("/dev/shm");
  world.realm = names_in(realm.folder() / "realm");
  return world;
}

// What is more than before, in words; empty: nothing. Of memory as much as an allocator needs to settle.
std::string more_than(const World& before, const World& after) {
  std::string out;
  for (const auto& [name, now] : after.processes) {
    const Holdings& then = before.processes.at(name);
    if (now.descriptors != then.descriptors) {
      out += name + " has other descriptors; before\n" + text_of(then.descriptors) + "now\n" + text_of(now.descriptors);
    }
    if (now.mappings != then.mappings) {
      out += name + " has other shared mappings; before\n" + text_of(then.mappings) + "now\n" + text_of(now.mappings);
    }
    if (now.threads != then.threads) {
      out += name + " has " + std::to_string(now.threads) + " threads, not " + std::to_string(then.threads) + "\n";
    }
    if (now.private_mappings > then.private_mappings + 8) {
      out += name + " has " + std::to_string(now.private_mappings) + " private mappings, not " +
             std::to_string(then.private_mappings) + "\n";
    }
    if (now.resident_kib > then.resident_kib + then.resident_kib / 4 + 1024) {
      out +=
          name + " has " + std::to_string(now.resident_kib) + " KiB, not " + std::to_string(then.resident_kib) + "\n";
    }
  }
  if (after.realm != before.realm) out += "the runtime directory is another\n";
  for (const std::string& name : after.shm) {
    if (name.find("symphony") != std::string::npos && !before.shm.contains(name)) out += "new: " + name + "\n";
  }
  return out;
}

// A link of the one caller and nobody else's, and a pit that has come up: as it was before the first death.
bool is_quiet(Endpoint& endpoint, std::uint32_t links) {
  const auto status = endpoint.status();
  return status && status->pits.at(0).state == "ready" && status->pits.at(0).links == links;
}

struct Temporary {
  Temporary() {
    char name[] = "/tmp/symphony-leftovers-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Temporary() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

enum class Victim { pit, caller, broker };
using Order = std::vector<Victim>;  // of one strike, in this order

struct Leftovers : testing::Test {
  Leftovers() {
    // The one that lives throughout, and calls all the time; others come and go.
    realm.start_caller(2);
    living = realm.pid_of(0);
    endpoint.emplace(realm.connect());  // one connection: the broker remembers each new one for a while after its end
  }

  void kill_all_of(const Order& order) {
    for (const Victim victim : order) {
      if (victim == Victim::caller) {
        realm.start_caller();
        pause_us(static_cast<std::uint32_t>(random() % 20'000));
        (void)realm.kill_caller(1);
        continue;
      }
      // The keeper gives up after five deaths of a broker in ten seconds.
      while (victim == Victim::broker && now_ns() < broker_rests_until) pause_us(10'000);
      const Held held = killer.find(victim == Victim::pit ? &Realm::pit : &Realm::broker);
      held.signal(SIGKILL);
      ASSERT_TRUE(held.dies_within(patience_ns));
      if (victim == Victim::broker) broker_rests_until = now_ns() + 3 * second_ns;
    }
    ASSERT_TRUE(killer.await_calls(realm.calls() + 1 + random() % 20)) << realm.trouble() << realm.errors();
  }
  // Ends of connections, retired epochs: not at once, but soon.
  std::string settled(World& out, const World* as) {
    std::string more = "it does not come to rest";
    for (const TimeNs deadline = deadline_after(patience_ns); now_ns() < deadline; pause_us(20'000)) {
      if (!is_quiet(*endpoint, 1)) continue;
      out = look_at(realm, living);
      more = as != nullptr ? more_than(*as, out) : "";
      if (more.empty()) break;
    }
    return more;
  }

  // `first`: once each, so that what is made at its first use is there. Then as many strikes as are wanted, each what
  // `next` makes of a number.
  template <class Next>
  void live(const std::vector<Order>& first, Next next) {
    ASSERT_TRUE(killer.await_calls(1)) << realm.errors();
    for (const Order& order : first) kill_all_of(order);
    if (HasFatalFailure()) return;
    // Before: seen twice the same.
    ASSERT_EQ(settled(before, nullptr), "");
    for (World again; !settled(again, &before).empty();) before = again;
    for (; done < test_run::samples(100); ++done) {
      kill_all_of(next(random() % 32));
      if (HasFatalFailure()) return;
    }
    left = settled(after, &before);
    EXPECT_EQ(left, "") << "after " << done << " deaths";
    for (const auto& [name, now] : after.processes) {
      const Holdings& then = before.processes.at(name);
      std::printf("%s: %zu KiB before, %zu after; %zu private mappings before, %zu after; %zu kinds of descriptors\n",
                  name.c_str(), then.resident_kib, now.resident_kib, then.private_mappings, now.private_mappings,
                  now.descriptors.size());
    }
    EXPECT_TRUE(realm.stop_callers()) << realm.trouble();
    EXPECT_EQ(realm.end(), 0);
    EXPECT_TRUE(fs::is_empty(realm.folder() / "realm"));
  }

  const TimeNs begun = now_ns();
  const Temporary folder;
  std::mt19937_64 random{test_run::seed()};
  Realm realm{folder.path / "realm", static_cast<std::uint32_t>(random()), 64 * 1024};
  Killer killer{realm, random()};
  std::optional<Endpoint> endpoint;
  pid_t living = 0;
  TimeNs broker_rests_until = 0;
  World before, after;
  std::uint64_t done = 0;
  std::string left;
};

TEST_F(Leftovers, OfAHundredDeathsInAnyOrderThereIsNothingAtThoseWhoLiveOn) {
  const Order pit{Victim::pit}, both{Victim::pit, Victim::caller}, broker{Victim::broker},
      pit_and_broker{Victim::pit, Victim::broker};
  live({pit, both, broker, pit_and_broker, pit, pit, both}, [&](std::uint64_t dice) {
    // The broker is seldom: it has to rest in between.
    return dice == 0 ? pit_and_broker : dice == 1 ? broker : dice < 16 ? both : pit;
  });

  bench::Figure figure;
  figure.name = "bus.leftovers";
  figure.value = left.empty() ? 0 : 1;
  figure.unit = "count";
  figure.n = done;
  figure.seed = test_run::seed();
  figure.seconds = static_cast<double>(now_ns() - begun) * 1e-9;
  figure.note =
      "of keeper, broker, pit and a caller that lives on: descriptors, mappings, threads, memory; names in /dev/shm "
      "and the runtime directory; n: orders of deaths";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

// What could go wrong: what a caller or a broker left stays at the pit, which is never new.
TEST_F(Leftovers, OfAHundredDeathsOfCallersAndBrokersThereIsNothingAtThePitThatOutlivesThem) {
  const Order caller{Victim::caller}, broker{Victim::broker}, both{Victim::caller, Victim::broker};
  ASSERT_TRUE(killer.await_calls(1)) << realm.errors();
  const pid_t pit = realm.pit().pid;
  live({caller, broker, both, caller}, [&](std::uint64_t dice) {
    return dice == 0 ? broker : dice == 1 ? both : caller;
  });
  EXPECT_TRUE(realm.errors().find("quarantined") == std::string::npos) << realm.errors();
  EXPECT_EQ(::kill(pit, 0), -1) << "it ended with its daemon";
  EXPECT_EQ(realm.newest_trace().pid, pit) << "there was no other";
}

}  // namespace
}  // namespace symphony::soak
