// Attacks over the real bus, by a pit that has all that a pit is given, beside an honest one. What could go wrong: the
// program that hosts both dies or hangs, the honest pit's callers notice anything, or nobody notices the attack.
#include "tests/hostile/bus/hostile_bus.hpp"

#include "bench/support/figure.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

enum class Seen : std::uint8_t {
  as_fault,     // by the caller, or the attacker's death says so
  as_protocol,  // the attacker's death says so
  as_silence,   // calls end at their deadlines
  as_refusal,   // by the kernel: what it tried never worked
  as_nothing,   // it takes nobody anything
  as_noise,     // too fast for the broker it is hung up on, else as nothing
};
struct Attack {
  const char* name;
  std::size_t times;
  Seen seen;
};
std::string name_of(const testing::TestParamInfo<Attack>& info) {
  std::string name = "ThatItsPit";
  for (const char* c = info.param.name; *c != '\0'; ++c) {
    const bool begins = c == info.param.name || c[-1] == ' ';
    if (*c != ' ') name += begins ? static_cast<char>(*c - 'a' + 'A') : *c;
  }
  return name;
}

struct HostileBusTest : HostileBus, testing::WithParamInterface<Attack> {
  static void TearDownTestSuite();
  static inline std::size_t held = 0;  // so many attacks
};

TEST_P(HostileBusTest, HarmsNeitherHostNorHonestPitAndIsSeen) {
  const Attack attack = GetParam();
  meet(attack.name);
  for (int i = 0; i < 10; ++i) round();
  const std::size_t descriptors = own_descriptors(), memory_kib = own_memory_kib();
  const std::size_t times = test_run::samples(attack.times);
  const TimeNs until = deadline_after(60 * second_ns);
  // A lie that the next true word covers is seen when somebody looks in between: the attack goes on until then.
  const auto is_hidden = [&] {
    return attack.seen == Seen::as_fault && faults() == 0 && !died_of(DeathCause::link_fault);
  };
  const auto goes_on = [&] { return attacks() < times || is_hidden(); };
  while (goes_on() && now_ns() < until && !HasFatalFailure() && report_state() != "quarantined") round();
  for (int i = 0; i < 50 && !HasFatalFailure(); ++i) round();  // and it is over
  const bool is_attached = attacked_.has_value();
  let_go();
  EXPECT_TRUE(attacks() >= times || (attack.seen == Seen::as_noise && died_of(DeathCause::protocol)));
  EXPECT_EQ(report("greeter").info.state, "ready");
  EXPECT_EQ(report("greeter").info.instance, 1U);
  EXPECT_TRUE(report("greeter").deaths.empty());
  const bool haunts = std::string_view(attack.name) == "haunts";
  switch (attack.seen) {
    case Seen::as_fault:
      EXPECT_TRUE(faults() > 0 || died_of(DeathCause::link_fault));
      break;
    case Seen::as_protocol:
      EXPECT_TRUE(died_of(DeathCause::protocol)) << report("attacker").reason;
      break;
    case Seen::as_silence:
      EXPECT_EQ(unanswered_, ended_);
      EXPECT_GT(ended_, 0U);
      break;
    case Seen::as_noise:
      break;
    case Seen::as_refusal:
      EXPECT_EQ(progress().find('W'), std::string::npos) << "it worked";
      [[fallthrough]];
    case Seen::as_nothing:
      EXPECT_TRUE(is_attached);
      // What was in the ring of one that died may be written over before it is read.
      EXPECT_LE(faults(), haunts ? 1U : 0U);
      EXPECT_GT(ended_, unanswered_);
      // The next instance of one that died says it anew.
      if (haunts) {
        EXPECT_TRUE(comes_true([&] { return report("attacker").info.state == "ready"; }));
      }
      EXPECT_EQ(report("attacker").version, "1") << "what it said first holds";
      EXPECT_EQ(report("attacker").deaths.size(), haunts ? 1U : 0U);
      break;
  }
  EXPECT_LE(own_descriptors(), descriptors + 8) << "a link that is open holds some";
  EXPECT_LE(own_memory_kib(), memory_kib + 64 * 1024);
  if (!HasFailure()) ++held;
  std::printf("%s: attacked %zu times; of %llu calls to it %llu were not answered, %llu faults; honest calls: %llu\n",
              attack.name, attacks(), static_cast<unsigned long long>(ended_),
              static_cast<unsigned long long>(unanswered_), static_cast<unsigned long long>(faults_),
              static_cast<unsigned long long>(count_));
}

constexpr Attack all_attacks[] = {
    Attack{"positions", 500, Seen::as_fault},          Attack{"misaligned", 200, Seen::as_fault},
    Attack{"lengths", 2000, Seen::as_fault},           Attack{"flips", 20000, Seen::as_nothing},
    Attack{"resizes", 2000, Seen::as_refusal},         Attack{"floods", 200, Seen::as_noise},
    Attack{"sends descriptors", 0, Seen::as_protocol}, Attack{"storms", 5000, Seen::as_nothing},
    Attack{"steals", 5000, Seen::as_nothing},          Attack{"silent", 100, Seen::as_silence},
    Attack{"lies at attach", 2000, Seen::as_nothing},  Attack{"haunts", 200, Seen::as_nothing},
    Attack{"babbles", 0, Seen::as_protocol},           Attack{"searches", 500, Seen::as_refusal},
    Attack{"unblocks", 2000, Seen::as_nothing},        Attack{"remaps", 2000, Seen::as_refusal}};

void HostileBusTest::TearDownTestSuite() {
  if (testing::UnitTest::GetInstance()->test_to_run_count() != static_cast<int>(std::size(all_attacks))) return;
  bench::Figure figure;
  figure.name = "hostile.tests";
  figure.value = static_cast<double>(held);
  figure.of = static_cast<double>(std::size(all_attacks));
  figure.unit = "count";
  figure.n = std::size(all_attacks);
  figure.note = "attacks over the bus that harmed neither host nor honest pit and were seen";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

INSTANTIATE_TEST_SUITE_P(Attacks, HostileBusTest, testing::ValuesIn(all_attacks), name_of);

}  // namespace
}  // namespace symphony
