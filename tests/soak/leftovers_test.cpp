// What deaths leave behind. What could go wrong: each leaves a descriptor, a mapping or a page at those who live on, or
// a name on the machine, and after a day of them there is no room.
#include <gtest/gtest.h>
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

TEST(Leftovers, OfAHundredDeathsInAnyOrderThereIsNothingAtThoseWhoLiveOn) {
  const TimeNs begun = now_ns();
  const Temporary folder;
  const std::uint64_t orders = test_run::samples(100);
  std::mt19937_64 random(test_run::seed());
  Realm realm(folder.path / "realm", static_cast<std::uint32_t>(random()), 64 * 1024);
  // The one that lives throughout, and calls all the time; and one that comes and goes.
  realm.start_caller(2);
  const pid_t living = realm.pid_of(0);
  Killer killer(realm, random());
  ASSERT_TRUE(killer.await_calls(1)) << realm.errors();

  // One connection throughout: the broker remembers each new one for a while after its end.
  Endpoint endpoint = realm.connect();

  // Once each, so that what is made at its first use is there; then the order of who dies is the seed's.
  World before;
  std::uint64_t done = 0;
  TimeNs broker_rests_until = 0;
  const auto strike = [&](std::uint64_t who) {
    if (who != 2) {
      const Held pit = killer.find(&Realm::pit);
      pit.signal(SIGKILL);
      ASSERT_TRUE(pit.dies_within(patience_ns));
    }
    if (who >= 2) {
      // The keeper gives up after five such deaths in ten seconds.
      while (now_ns() < broker_rests_until) pause_us(10'000);
      const Held broker = killer.find(&Realm::broker);
      broker.signal(SIGKILL);
      ASSERT_TRUE(broker.dies_within(patience_ns));
      broker_rests_until = now_ns() + 3 * second_ns;
    }
    if (who == 1) {
      realm.start_caller();
      pause_us(static_cast<std::uint32_t>(random() % 20'000));
      (void)realm.kill_caller(1);
    }
    ASSERT_TRUE(killer.await_calls(realm.calls() + 1 + random() % 20)) << realm.trouble() << realm.errors();
  };
  const auto settled = [&](World& out, const World* as) {
    // Ends of connections, retired epochs: not at once, but soon.
    std::string more;
    for (const TimeNs deadline = deadline_after(patience_ns); now_ns() < deadline; pause_us(20'000)) {
      if (!is_quiet(endpoint, 1)) continue;
      out = look_at(realm, living);
      more = as != nullptr ? more_than(*as, out) : "";
      if (as == nullptr || more.empty()) break;
    }
    return more;
  };
  for (const std::uint64_t who : {0u, 1u, 2u, 3u, 0u, 0u, 1u}) strike(who);
  // Before: seen twice the same.
  ASSERT_EQ(settled(before, nullptr), "");
  for (World again; !settled(again, &before).empty();) before = again;
  for (; done < orders; ++done) {
    // The broker is seldom: it has to rest in between.
    const std::uint64_t dice = random() % 32;
    strike(dice == 0 ? 3 : dice == 1 ? 2 : dice < 16 ? 1 : 0);
    if (HasFatalFailure()) return;
  }
  World after;
  const std::string left = settled(after, &before);
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

  bench::Figure figure;
  figure.name = "bus.leftovers";
  figure.value = left.empty() ? 0 : 1;
  figure.unit = "count";
  figure.n = done;
  figure.seed = test_run::seed();
  figure.seconds = static_cast<double>(now_ns() - begun) * 1e-9;
  figure.note =
      "of keeper, broker and a caller that lives on: descriptors, mappings, threads, memory; names in /dev/shm "
      "and the runtime directory; n: orders of deaths";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

}  // namespace
}  // namespace symphony::soak
