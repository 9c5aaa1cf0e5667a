// What walls cost: a pit's start and its calls, with all of them, with each kind alone and without, in turns; and what
// copying and verifying a body costs beside a call. Ratios of one run: times mean little on a shared machine.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <symphony/operator.hpp>

#include "bench/support/figure.hpp"
#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

// Walls of one kind, without any other. A confined process is always the first of its namespaces of users and
// processes: those come with each kind.
struct WallKind {
  const char* name;
  SandboxBlocks blocks;
};
constexpr SandboxBlocks blocks_of(std::initializer_list<SandboxBlock> blocks) {
  SandboxBlocks all = 0;
  for (const SandboxBlock block : blocks) all |= bit_of(block);
  return all;
}
constexpr WallKind wall_kinds[] = {
    {"namespaces",
     blocks_of({SandboxBlock::mount_namespace, SandboxBlock::network_namespace, SandboxBlock::ipc_namespace})},
    {"seccomp", blocks_of({SandboxBlock::no_new_privileges, SandboxBlock::start_filter, SandboxBlock::filter})},
    {"landlock", blocks_of({SandboxBlock::no_new_privileges, SandboxBlock::landlock})},
};
constexpr SandboxBlocks always =
    blocks_of({SandboxBlock::user_namespace, SandboxBlock::pid_namespace, SandboxBlock::parent_death});

struct PriceTest : BusTest {
  void SetUp() override {
    PitConfig plain = pit_config("greeter"), walled = pit_config("greeter");
    plain.name = "plain";
    walled.name = "walled";
    plain.trust = walled.trust = Trust::hostile;
    // Both sides sleep, on one processor: each call makes its system calls, and none is faster for having met the other
    // side awake.
    plain.waiting = walled.waiting = Waiting::sleep;
    plain.placement = walled.placement = Placement::same_core;
    walled.sandbox.profile = SandboxProfile::heap;
    PitConfig believed = plain;
    believed.name = "believed";
    believed.trust = Trust::cooperative;
    std::vector<PitConfig> pits{plain, walled, believed};
    for (const WallKind& kind : wall_kinds) pits.push_back(with_alone(walled, kind));
    start(std::move(pits));
    auto asked = Operator::adopt(broker->connect().value());
    ASSERT_TRUE(asked) << asked.error().text;
    operator_.emplace(*std::move(asked));
    const auto state = [&] { return operator_->show("walled", 30 * second_ns).pit.info.state; };
    ASSERT_TRUE(comes_true([&] { return state() == "ready" || state() == "quarantined"; }));
    if (state() != "ready") GTEST_SKIP() << "this machine does not give the walls, so there is no price of them";
  }

  static constexpr LinkOptions asleep{.waiting = Waiting::sleep, .placement = Placement::same_core};
  static PitConfig with_alone(PitConfig pit, const WallKind& kind) {
    pit.name = kind.name;
    pit.sandbox.required = kind.blocks;
    SandboxBlocks out = sandbox_all_blocks & ~(kind.blocks | always);
    if ((kind.blocks & bit_of(SandboxBlock::landlock)) != 0)
      out &= ~blocks_of({SandboxBlock::landlock_network, SandboxBlock::landlock_scope});
    pit.environment = {"SYMPHONY_PIT_LEAVES_OUT=" + std::to_string(out)};
    return pit;
  }

  static double median(std::vector<TimeNs> all) {
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end());
    return static_cast<double>(all[all.size() / 2]);
  }
  static void write(const char* name, const std::vector<TimeNs>& with, const std::vector<TimeNs>& without,
                    const std::string& note) {
    bench::Figure figure;
    figure.name = name;
    figure.value = median(with) / median(without);
    figure.unit = "ratio";
    figure.n = with.size();
    figure.note = note + "; medians " + std::to_string(median(with) / 1000) + " and " +
                  std::to_string(median(without) / 1000) + " us, in turns";
    std::printf("%s %.3f (%s)\n", name, figure.value, figure.note.c_str());
    EXPECT_GT(figure.value, 0);
    EXPECT_TRUE(bench::write_figure(figure).has_value());
  }

  std::optional<Operator> operator_;
};

TEST_F(PriceTest, OfAStartIsSeenBesideOneWithoutWalls) {
  constexpr int pairs = 30;
  std::vector<TimeNs> with, without;
  const auto restart = [&](const char* pit, std::vector<TimeNs>& times) {
    ASSERT_TRUE(operator_->stop(pit, 30 * second_ns).ok());
    const TimeNs from = now_ns();
    ASSERT_TRUE(operator_->start(pit, 30 * second_ns).ok());
    times.push_back(now_ns() - from);
  };
  for (int i = 0; i < pairs; ++i) {
    restart(i % 2 == 0 ? "plain" : "walled", i % 2 == 0 ? without : with);
    restart(i % 2 == 0 ? "walled" : "plain", i % 2 == 0 ? with : without);
  }
  write("sandbox.start_ratio", with, without, "from asking for a start to ready, all walls over none");
}

TEST_F(PriceTest, OfAStartIsSeenBesideForkAndExec) {
  constexpr int pairs = 15;
  std::vector<TimeNs> starts, execs;
  for (int i = 0; i < pairs; ++i) {
    ASSERT_TRUE(operator_->stop("walled", 30 * second_ns).ok());
    TimeNs from = now_ns();
    ASSERT_TRUE(operator_->start("walled", 30 * second_ns).ok());
    starts.push_back(now_ns() - from);
    from = now_ns();
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/true", "true", nullptr);
      ::_exit(1);
    }
    int status = 1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    execs.push_back(now_ns() - from);
  }
  write("sandbox.start_over_exec", starts, execs, "a confined pit to ready, over fork, exec and end of /bin/true");
}

TEST_F(PriceTest, OfACallIsSeenBesideOneWithoutWalls) {
  constexpr int rounds = 20, calls = 50;
  std::vector<const char*> names{"plain", "walled", "believed"};
  for (const WallKind& kind : wall_kinds) names.push_back(kind.name);
  std::map<std::string_view, std::vector<TimeNs>> times;
  std::vector<Link> links;
  for (const char* name : names) links.push_back(open(name, asleep));
  for (int i = 0; i < rounds; ++i) {
    for (std::size_t k = 0; k < names.size(); ++k) {
      const std::size_t which = (k + static_cast<std::size_t>(i)) % names.size();
      for (int c = 0; c < calls; ++c) {
        const TimeNs from = now_ns();
        ASSERT_TRUE(greet(links[which], "you"));
        times[names[which]].push_back(now_ns() - from);
      }
    }
  }
  const auto& without = times["plain"];
  write("price.walls.64", times["walled"], without, "a call of a hostile pit, both sides asleep, all walls over none");
  write("price.bounded_waits.64", without, times["believed"],
        "a call of a hostile pit over one of a cooperative pit, both sides asleep");
  for (const WallKind& kind : wall_kinds) {
    const SandboxBlocks reached = operator_->show(kind.name).pit.sandbox_reached;
    EXPECT_EQ(reached & ~blocks_of({SandboxBlock::landlock_network, SandboxBlock::landlock_scope}),
              kind.blocks | always)
        << kind.name << ": " << names_of(reached);
    write((std::string("price.") + kind.name + ".64").c_str(), times[kind.name], without,
          "a call of a hostile pit, both sides asleep, these walls (and namespaces of users and processes) over none");
  }
}

// What is done with each body of a hostile peer, beside the call that it comes with.
TEST_F(PriceTest, OfCopyingAndVerifyingABodyIsSeenBesideACall) {
  constexpr int rounds = 20;
  Link link = open("plain", asleep);
  for (const std::size_t size :
       {std::size_t{64}, std::size_t{1024}, std::size_t{16} << 10, std::size_t{256} << 10, std::size_t{1} << 20}) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(greeter::CreateGreeting(builder, builder.CreateString(std::string(size, 'x')), 1));
    std::vector<std::uint8_t> copy(builder.GetSize());
    std::vector<TimeNs> copies, calls;
    constexpr int batch = 64;
    for (int i = 0; i < rounds; ++i) {
      TimeNs from = now_ns();
      for (int c = 0; c < batch; ++c) {
        std::memcpy(copy.data(), builder.GetBufferPointer(), copy.size());
        flatbuffers::Verifier verifier(copy.data(), copy.size());
        ASSERT_TRUE(verifier.VerifyBuffer<greeter::Greeting>());
      }
      copies.push_back((now_ns() - from) / batch);
      for (int c = 0; c < batch; ++c) {
        from = now_ns();
        ASSERT_TRUE(greet(link, "you"));
        calls.push_back(now_ns() - from);
      }
    }
    write(("price.copy_verify." + std::to_string(size)).c_str(), copies, calls,
          "copying and verifying a greeting of that size once, from and to a warm cache, over a small call, both sides "
          "asleep");
  }
}

}  // namespace
}  // namespace symphony
