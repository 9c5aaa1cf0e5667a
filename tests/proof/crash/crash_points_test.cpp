// What could go wrong: the compiler or a careless line makes the shipped code store something that the traced policy
// never shows, or a process that is really killed, at any instruction, leaves a state that its living peer misreads.
// Here the operations run as compiled for release; they are stepped, and killed after each of their instructions.
#include <gtest/gtest.h>

#include <sched.h>
#include <unistd.h>

#include <cstdio>

#include "tests/proof/crash/figures.hpp"
#include "tests/proof/crash/peer.hpp"
#include "tests/proof/crash/scene.hpp"
#include "tests/proof/crash/victim.hpp"

namespace symphony::proof {
namespace {

#define SKIP_WITHOUT_TRACING() \
  if (const std::string why = tracing_works(); !why.empty()) GTEST_SKIP() << why

// Follows a stepped operation along its trace: words exactly, one by one; payload byte by byte, old or new.
class Follower {
 public:
  explicit Follower(const Trace& trace) : trace_(trace), last_(trace.before) {}

  // Memory changed. False: by something that the trace does not have here.
  bool follow(const Image& now) {
    ++stores_;
    while (next_ < trace_.phases.size()) {
      const Trace::Phase& phase = trace_.phases[next_];
      const Image& before = next_ == 0 ? trace_.before : trace_.phases[next_ - 1].after;
      if (!phase.copy) {
        if (last_ != before || now != phase.after) return outside(now);
        ++next_;
        last_ = now;
        return true;
      }
      if (is_between(before, phase.after, now)) {
        last_ = now;
        return true;
      }
      if (last_ != phase.after) return outside(now);
      ++next_;
    }
    return outside(now);
  }
  [[nodiscard]] bool at_end() const {
    return last_ == (trace_.phases.empty() ? trace_.before : trace_.phases.back().after);
  }
  [[nodiscard]] std::uint64_t stores() const noexcept { return stores_; }
  [[nodiscard]] std::uint64_t outside() const noexcept { return outside_; }

 private:
  static bool is_between(const Image& before, const Image& after, const Image& now) {
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (now[i] != before[i] && now[i] != after[i]) return false;
    }
    return true;
  }
  bool outside(const Image& now) {
    ++outside_;
    last_ = now;
    return false;
  }
  const Trace& trace_;
  Image last_;
  std::size_t next_ = 0;
  std::uint64_t stores_ = 0;
  std::uint64_t outside_ = 0;
};

struct Stepped {
  std::uint64_t instructions = 0;
  std::uint64_t stores = 0;
  std::uint64_t outside = 0;
  bool ended_alike = false;
  std::string wrong;  // what a survivor of a death there did not find
};

// Engine B: one operation, one instruction after the other; its actor could have died at each.
Stepped step_through(Scene<RealMem>& scene, const Trace& trace, Party actor, void (*run)(World<RealMem>&)) {
  Stepped stepped;
  World<RealMem> world = *scene.world;
  auto body = [&] { run(world); };
  Victim victim(body);
  Follower follower(trace);
  Image last = scene.segments.image();
  for (bool more = true; more;) {
    more = victim.step();
    ++stepped.instructions;
    if (!scene.segments.equals(last)) {
      scene.segments.save(last);
      follower.follow(last);
    }
    if (stepped.wrong.empty()) stepped.wrong = scene.survived(actor);
  }
  stepped.stores = follower.stores();
  stepped.outside = follower.outside();
  stepped.ended_alike = follower.at_end();
  return stepped;
}

TEST(CrashPoints, TheReleaseCodeStoresExactlyWhatThePolicyShows) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  std::uint64_t stores = 0, outside = 0, instructions = 0;
  Scene<RealMem> scene;
  for (std::size_t i = 0; i < operations<RealMem>.size(); ++i) {
    const auto& operation = operations<RealMem>[i];
    const Trace trace = Trace::of(operations<TraceMem>[i]);
    scene.set(operation);
    ASSERT_EQ(scene.before().image, trace.before) << operation.name;
    const Stepped stepped = step_through(scene, trace, operation.actor, operation.run);
    EXPECT_EQ(stepped.outside, 0u) << operation.name << ": stores that the policy did not show";
    EXPECT_TRUE(stepped.ended_alike) << operation.name;
    EXPECT_EQ(stepped.wrong, "") << operation.name;
    std::printf("%-28.*s %5d instructions, %3d stores seen\n", static_cast<int>(operation.name.size()),
                operation.name.data(), static_cast<int>(stepped.instructions), static_cast<int>(stepped.stores));
    stores += stepped.stores;
    outside += stepped.outside;
    instructions += stepped.instructions;
  }
  write_count("ring.stores_outside_policy", outside, stores, stores, start,
              "of the stores seen in " + std::to_string(instructions) + " single steps of the release code");
}

TEST(CrashPoints, AStoreThatPassesByThePolicyIsSeen) {
  SKIP_WITHOUT_TRACING();
  const auto passes_by = [](void (*run)(World<RealMem>&)) {
    Scene<RealMem> scene;
    scene.set(operations<RealMem>[0]);
    return step_through(scene, Trace::of(operations<TraceMem>[0]), Party::caller, run).outside;
  };
  EXPECT_GE(passes_by([](World<RealMem>& w) {
              w.push(32);
              *reinterpret_cast<volatile std::uint32_t*>(&w.segments->caller_words().side.want_space) = 1;
            }),
            1u);
  EXPECT_GE(passes_by([](World<RealMem>& w) {
              auto claim = w.caller.try_claim(400);
              *reinterpret_cast<volatile std::uint8_t*>(claim.bytes().data() + 399) = 0xee;
              w.push(32);
            }),
            1u);
}

// ---- engine C

struct Killed {
  std::uint64_t points = 0;
  std::uint64_t survived = 0;
  std::uint64_t astray = 0;  // points that the operation did not come to
  std::string first_wrong;
};

// Which points: all, or only those at which shared memory has just changed.
enum class Points : std::uint8_t { all, changes };

// A real SIGKILL after each instruction of one operation, while the other side goes on reading in a process of its own.
template <class Mem>
Killed kill_everywhere(Scene<Mem>& scene, const Operation<Mem>& operation, Points which) {
  Killed killed;
  World<Mem> actor = *scene.world;
  auto body = [&] { operation.run(actor); };
  std::vector<std::size_t> chosen{0};
  Image last = scene.segments.image();
  std::size_t steps = 0;
  const Path path = Path::of(body, [&] {
    ++steps;
    if (which == Points::changes && scene.segments.equals(last)) return;
    scene.segments.save(last);
    chosen.push_back(steps);
  });
  for (const std::size_t point : chosen) {
    scene.go_back();
    Victim victim(body);
    World<Mem> survivor = *scene.world;
    auto live = [&]() -> std::string {
      while (!is_dead(victim.pidfd())) {
        const std::string wrong = operation.actor == Party::pit ? drain_replies(survivor) : drain_requests(survivor);
        if (!wrong.empty()) return "alive: " + wrong;
        ::sched_yield();
      }
      return operation.actor == Party::pit ? outlive_pit(survivor, scene.fresh) : outlive_caller(survivor);
    };
    Peer peer(live);
    const bool led = path.lead(victim, point);
    victim.kill();
    const std::string wrong = peer.finding();
    ++killed.points;
    if (!led) ++killed.astray;
    if (led && wrong.empty()) ++killed.survived;
    if (wrong.empty() || !killed.first_wrong.empty()) continue;
    killed.first_wrong = wrong + " (after instruction " + std::to_string(point) + ")";
    if (which == Points::changes) break;
  }
  return killed;
}

TEST(CrashPoints, AKillAfterAnyInstructionOfAnyOperationIsSurvivedByALivePeer) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  std::uint64_t points = 0, survived = 0;
  Scene<RealMem> scene;
  for (const auto& operation : operations<RealMem>) {
    scene.set(operation);
    const Killed killed = kill_everywhere(scene, operation, Points::all);
    EXPECT_EQ(killed.first_wrong, "") << operation.name;
    EXPECT_EQ(killed.astray, 0u) << operation.name << " went another way than when it was stepped";
    std::printf("%-28.*s %4d of %4d\n", static_cast<int>(operation.name.size()), operation.name.data(),
                static_cast<int>(killed.survived), static_cast<int>(killed.points));
    points += killed.points;
    survived += killed.survived;
  }
  const std::uint64_t count = operations<RealMem>.size();
  EXPECT_GE(count, 13u);
  write_count("ring.crash_points", survived, points, points, start,
              "SIGKILLs after each instruction of " + std::to_string(count) + " operations, live peer");
  write_count("ring.crash_ops", count, {}, points, start, "operations killed after each instruction");
}

TEST(CrashPoints, AKillFindsEveryMutantOfTheOrderOfStores) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  std::uint64_t caught = 0;
  for (const MutantName& mutant : mutants) {
    std::string found;
    for (const std::string_view name :
         {"push_small", "push_batch", "serve_once", "pop", "pop_and_write_back", "serve_and_write_back"}) {
      if (!found.empty()) break;
      const auto operation = std::ranges::find(operations<TraceMem>, name, &Operation<TraceMem>::name);
      Tracer tracer;
      Scene<TraceMem> scene(TraceMem{&tracer});
      scene.set(*operation);
      tracer.become(mutant.mutant);
      const Killed killed = kill_everywhere(scene, *operation, Points::changes);
      EXPECT_EQ(killed.astray, 0u) << mutant.name << ", " << name;
      if (!killed.first_wrong.empty()) found = std::string(name) + ": " + killed.first_wrong;
    }
    EXPECT_NE(found, "") << mutant.name << " was not caught";
    if (!found.empty()) ++caught;
    std::printf("%-26.*s %s\n", static_cast<int>(mutant.name.size()), mutant.name.data(), found.c_str());
  }
  write_count("ring.crash_kill_mutants", caught, mutants.size(), mutants.size(), start,
              "wrong orders of stores, by kills after each instruction");
}

// ---- double crash

TEST(CrashPoints, AKillAfterAnyInstructionOfARecoveryLeavesTheSameToRecover) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  std::uint64_t points = 0, survived = 0, moments = 0;
  std::string first_wrong;
  Scene<RealMem> scene;
  for (std::size_t i = 0; i < operations<RealMem>.size(); ++i) {
    const auto& operation = operations<RealMem>[i];
    constexpr std::array in_long_lane{"serve_once", "serve_idempotent", "serve_behind_a_pad", "pop"};
    const auto here = std::span(in_long_lane).first(long_lane() ? in_long_lane.size() : 1);
    if (std::ranges::find(here, operation.name) == here.end()) continue;
    const Trace trace = Trace::of(operations<TraceMem>[i]);
    scene.set(operation);
    std::vector<Moment> states{scene.before()};
    for (const Trace::Phase& phase : trace.phases) states.push_back({phase.after, phase.ledger});
    Recovered last;
    last.wrong = "none yet";
    for (const Moment& moment : states) {
      scene.go_to(moment);
      const auto recovered_onto = [&](const Segments& fresh) {
        World<RealMem> caller = *scene.read_only;  // or the next recovery would find less
        CallerChannel<RealMem> next(fresh.caller(), fresh.pit(), fresh.geometry());
        return recover(caller, next);
      };
      const Recovered reference = recovered_onto(scene.fresh);
      // Each state that is decided in another way than the one before; in the long lane, of one operation, each state.
      const bool every_state = long_lane() && operation.name == "serve_once";
      if (!every_state && reference.same_as(last)) continue;
      last = reference;
      ++moments;
      World<RealMem> first = *scene.read_only;
      CallerChannel<RealMem> next(scene.fresh.caller(), scene.fresh.pit(), scene.fresh.geometry());
      auto body = [&] { (void)recover(first, next); };
      scene.go_to(moment);
      const Path path = Path::of(body);
      for (std::size_t point = 0; point < path.points(); ++point) {
        scene.go_to(moment);
        Victim victim(body);
        std::string wrong = path.lead(victim, point) ? "" : "the recovery went another way than when it was stepped";
        victim.kill();
        // The next pit sees a beginning of what was to be sent again; whoever recovers now decides as the dead did.
        if (wrong.empty()) wrong = check_sent_again(scene.fresh, scene.ledger, reference.made(), false, RealMem{});
        if (wrong.empty() && !recovered_onto(scene.second).same_as(reference)) wrong = "I7: it decides otherwise";
        if (wrong.empty()) wrong = check_sent_again(scene.second, scene.ledger, reference.made(), true, RealMem{});
        ++points;
        if (wrong.empty()) ++survived;
        if (first_wrong.empty()) first_wrong = wrong;
      }
    }
  }
  EXPECT_EQ(first_wrong, "");
  EXPECT_GT(points, 1000u);
  std::printf("%d points in recoveries from %d states\n", static_cast<int>(points), static_cast<int>(moments));
  write_count(
      "ring.double_crash_points", survived, points, points, start,
      "SIGKILLs after each instruction of a recovery, from " + std::to_string(moments) + " states of a dead pit");
}

}  // namespace
}  // namespace symphony::proof
