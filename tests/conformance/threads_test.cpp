// Many threads of one program on one pit, in each way that they can take to it. What could go wrong: a thread gets the
// reply of another, a call ends twice or never, one that hangs holds up the others' deadlines, an ended thread leaves
// something behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <latch>
#include <optional>
#include <set>
#include <thread>

#include <symphony/broker.hpp>
#include <symphony/conductor.hpp>
#include <symphony/typed.hpp>

#include "greeter_generated.h"
#include "probe_generated.h"
#include "tests/support/samples.hpp"

SYMPHONY_DECLARE_PIT(greeter);
SYMPHONY_DECLARE_PIT(probe);

namespace symphony {
namespace {

std::filesystem::path programs() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

bool comes_true(const std::function<bool()>& condition) {
  for (const TimeNs deadline = deadline_after(30 * second_ns); now_ns() < deadline; std::this_thread::yield()) {
    if (condition()) return true;
  }
  return condition();
}
std::ptrdiff_t entries_of(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

struct Door {
  const char* name;
  Mode mode;
  std::uint32_t threads_max;
};
void PrintTo(const Door& door, std::ostream* out) { *out << door.name; }
constexpr Door executor{"Static", Mode::static_, 64}, link_each{"ProcessALinkEach", Mode::process, 64},
    one_link{"ProcessOneLink", Mode::process, 0}, mixed{"ProcessTwoLinks", Mode::process, 2};

// greeter and probe, shared by the threads of a test.
class Shared {
 public:
  explicit Shared(const Door& door) {
    if (door.mode == Mode::process) {
      BrokerOptions options;
      for (const char* name : {"greeter", "probe"}) {
        PitConfig& pit = options.pits.emplace_back();
        pit.name = name;
        pit.executable = programs() / "symphony-pit-host";
        pit.args = {programs() / "../pits" / (std::string(name) + ".so")};
      }
      broker.emplace(EmbeddedBroker::start(std::move(options)).value());
      endpoint_.emplace(Endpoint::adopt(broker->connect().value()).value());
    }
    conductor.emplace(endpoint_ ? &*endpoint_ : nullptr);
    for (const auto& [name, entry] : {std::pair{"greeter", symphony_pit_greeter()}, {"probe", symphony_pit_probe()}}) {
      const StepResult mounted =
          conductor->mount(name, {.mode = door.mode, .entry = entry, .threads_max = door.threads_max});
      EXPECT_TRUE(mounted.ok()) << mounted.text;
    }
    greeter = conductor->share("greeter");
    probe = conductor->share("probe");
    EXPECT_TRUE(greeter.ok()) << greeter.why().text;
  }
  // Links that the broker knows of, to all pits.
  std::size_t links() {
    std::size_t count = 0;
    if (broker) {
      for (const PitInfo& pit : broker->status()) count += pit.links;
    }
    return count;
  }

  std::optional<EmbeddedBroker> broker;

 private:
  std::optional<Endpoint> endpoint_;

 public:
  std::optional<Conductor> conductor;
  SharedCaller greeter, probe;
};

TypedReply<greeter::Greeting> greet(const SharedCaller& caller, const std::string& name) {
  flatbuffers::FlatBufferBuilder b;
  return call<greeter::Greeting>(caller, b, greeter::CreateHello(b, b.CreateString(name)));
}
TypedReply<probe::Done> probe_do(const SharedCaller& caller, probe::Act act, std::uint32_t argument = 0,
                                 const CallOptions& options = {}) {
  flatbuffers::FlatBufferBuilder b;
  return call<probe::Done>(caller, b, probe::CreateDo(b, act, argument), options);
}

void in_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int t = 0; t < count; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
}

class EveryDoor : public testing::TestWithParam<Door> {};
class ProcessDoor : public testing::TestWithParam<Door> {};
const auto name_of_door = [](const testing::TestParamInfo<Door>& of) { return std::string(of.param.name); };
INSTANTIATE_TEST_SUITE_P(Threads, EveryDoor, testing::Values(executor, link_each, one_link, mixed), name_of_door);
INSTANTIATE_TEST_SUITE_P(Threads, ProcessDoor, testing::Values(link_each, one_link, mixed), name_of_door);

TEST_P(EveryDoor, EachOfManyThreadsGetsExactlyItsOwnReplies) {
  Shared pits(GetParam());
  constexpr int threads = 8;
  const auto calls = static_cast<int>(test_run::samples(1'000));
  std::array<std::vector<std::uint64_t>, threads> counts;
  std::atomic<int> wrong{0};
  in_threads(threads, [&](int t) {
    for (int i = 0; i < calls; ++i) {
      const std::string name = std::to_string(t) + "-" + std::to_string(i);
      const auto reply = greet(pits.greeter, name);
      if (!reply || reply->text()->string_view() != "Hello, " + name + "!") ++wrong;
      if (reply) counts[static_cast<std::size_t>(t)].push_back(reply->count());
    }
  });
  EXPECT_EQ(wrong, 0);
  std::set<std::uint64_t> all;
  for (const auto& of_thread : counts) all.insert(of_thread.begin(), of_thread.end());
  const auto total = static_cast<std::uint64_t>(threads) * static_cast<std::uint64_t>(calls);
  EXPECT_EQ(all.size(), total) << "each call ran once";
  EXPECT_EQ(*all.rbegin(), total);
}

TEST_P(EveryDoor, ADeadlineIsKeptWhileAnotherThreadsCallHangs) {
  Shared pits(GetParam());
  ASSERT_TRUE(probe_do(pits.probe, probe::Act::NOTHING));
  // Where a thread runs the pit itself it may run the hanging call too, which was queued behind its own: its own has
  // ended then, and says nothing of deadlines. So it is tried until the hanging call's own thread runs it.
  bool is_seen = false;
  for (int attempt = 0; attempt < 10 && !is_seen; ++attempt) {
    std::atomic<bool> hanging_ended{false};
    std::latch begun(1);
    std::thread hanging([&] {
      begun.count_down();
      EXPECT_TRUE(probe_do(pits.probe, probe::Act::HANG, 3'000));
      hanging_ended = true;
    });
    begun.wait();
    // The hanging call comes first sooner or later; those before it are quick.
    std::int32_t status = status::ok;
    while (status == status::ok && !hanging_ended) {
      status = probe_do(pits.probe, probe::Act::NOTHING, 0, {.timeout_ns = 20 * ms_ns}).reply.status;
    }
    if (status != status::ok) {
      EXPECT_EQ(status, status::deadline);
      EXPECT_FALSE(hanging_ended);
      is_seen = true;
    }
    hanging.join();
  }
  EXPECT_TRUE(is_seen);
  EXPECT_TRUE(probe_do(pits.probe, probe::Act::NOTHING)) << "the late ending was nobody's";
}

TEST_P(EveryDoor, ThreadsOneAfterAnotherLeaveNothing) {
  Shared pits(GetParam());
  ASSERT_TRUE(greet(pits.greeter, "x"));  // what this thread has stays
  const auto threads = static_cast<int>(test_run::samples(1'000));
  in_threads(1, [&](int) { EXPECT_TRUE(greet(pits.greeter, "warm")); });
  const std::size_t links = pits.links();
  const auto descriptors = entries_of("/proc/self/fd"), tasks = entries_of("/proc/self/task");
  int wrong = 0;
  for (int i = 0; i < threads; ++i) {
    in_threads(1, [&](int) { wrong += greet(pits.greeter, "x") ? 0 : 1; });
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(comes_true([&] { return pits.links() <= links; })) << pits.links() << " links, " << links << " before";
  EXPECT_TRUE(comes_true([&] { return entries_of("/proc/self/fd") <= descriptors; }));
  EXPECT_TRUE(comes_true([&] { return entries_of("/proc/self/task") <= tasks; }));
}

TEST_P(ProcessDoor, EachCallEndsOnceAlthoughThePitIsKilledInTheMiddle) {
  Shared pits(GetParam());
  constexpr int threads = 6, kills = 4;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> ok{0}, crashed{0}, wrong{0};
  std::thread killer([&] {
    for (int i = 0; i < kills; ++i) {
      const std::uint64_t before = ok;
      comes_true([&] { return ok > before + 50; });  // the pit is back and in use
      EXPECT_TRUE(comes_true([&] { return pits.broker->kill_pit("probe").has_value(); }));
    }
    const std::uint64_t before = ok;
    EXPECT_TRUE(comes_true([&] { return ok > before + 50; }));
    stop = true;
  });
  in_threads(threads, [&](int t) {
    for (std::uint32_t i = 0; !stop; ++i) {
      const std::uint32_t size = static_cast<std::uint32_t>(t) * 1'000 + i % 1'000;  // the call's own
      // The first one's are nearly always being executed when the pit is killed.
      const auto done = t == 0 && i % 2 == 0 ? probe_do(pits.probe, probe::Act::HANG, 2)
                                             : probe_do(pits.probe, probe::Act::BIG, size);
      if (done && t == 0 && i % 2 == 0) continue;
      if (done) {
        ++(done->bytes() != nullptr && done->bytes()->size() == size ? ok : wrong);
      } else if (done.reply.status == status::crashed || done.reply.status == status::crashed_accepted) {
        ++crashed;  // it may not run twice
      } else {
        ++wrong;
        ADD_FAILURE() << done.reply.status << " " << done.reply.text;
      }
    }
  });
  killer.join();
  EXPECT_EQ(wrong, 0u);
  std::printf("%llu replies, %llu crashed\n", static_cast<unsigned long long>(ok.load()),
              static_cast<unsigned long long>(crashed.load()));
}

TEST_P(ProcessDoor, AForkedChildIsToldSoAndMayDestroyItsCopy) {
  Shared pits(GetParam());
  ASSERT_TRUE(greet(pits.greeter, "x"));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool told = greet(pits.greeter, "x").reply.status == status::forked &&
                      probe_do(pits.probe, probe::Act::NOTHING).reply.status == status::forked;
    pits.greeter = pits.probe = {};
    ::_exit(told ? 0 : 1);
  }
  int ended = 1;
  EXPECT_TRUE(comes_true([&] { return ::waitpid(child, &ended, WNOHANG) == child; })) << "the child hangs";
  if (ended == 1) ::kill(child, SIGKILL);
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(greet(pits.greeter, "x")) << "nothing of the parent's was disturbed";
}

TEST(Threads, BeyondThreadsMaxTheyShareALinkAndALaterOneFindsAPlace) {
  Shared pits(mixed);
  constexpr int threads = 5;
  const std::size_t before = pits.links();
  std::latch called(threads), leave(1);
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      EXPECT_TRUE(greet(pits.greeter, "x"));
      called.count_down();
      leave.wait();
    });
  }
  called.wait();
  EXPECT_EQ(pits.links(), before + 2);
  leave.count_down();
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE(comes_true([&] { return pits.links() == before; }));
  EXPECT_TRUE(greet(pits.greeter, "x"));
  EXPECT_EQ(pits.links(), before + 1);
}

TEST(Threads, ACallerOutlivesAnUnmountAndOneOfNobodySaysSo) {
  Shared pits(link_each);
  ASSERT_TRUE(pits.conductor->unmount("greeter").ok());
  in_threads(2, [&](int) { EXPECT_TRUE(greet(pits.greeter, "x")); });
  const SharedCaller nobody = pits.conductor->share("greeter");
  EXPECT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.call(1, {}).status, status::unreachable);
  EXPECT_EQ(SharedCaller().call(1, {}).status, status::closed);
}

}  // namespace
}  // namespace symphony
