// The checker of the kill soak. What could go wrong: it says yes to a history that no bus may make. So each rule is
// shown a history that breaks it and no other rule, made from one that is right.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/soak/checker.hpp"

namespace symphony::soak {
namespace {

Call made(std::uint32_t number, Kind kind) { return {.number = number, .kind = kind}; }
Call answered(std::uint32_t number, Kind kind, std::uint64_t place) {
  return {.number = number, .kind = kind, .has_ended = true, .answer = place};
}
Call ended(std::uint32_t number, Kind kind, CallStatus status) {
  return {.number = number, .kind = kind, .has_ended = true, .status = status};
}

struct Case {
  // Two incarnations of a caller. The first was killed while 6 to 8 were under way; of the second, 2 was executing
  // when the pit died, 4 found no room, and 3 was read after.
  std::vector<History> histories{
      {1,
       {answered(1, Kind::idempotent, 1), answered(2, Kind::once, 2), answered(3, Kind::once, 3),
        answered(4, Kind::idempotent, 4), answered(5, Kind::idempotent, 5), made(6, Kind::once),
        made(7, Kind::idempotent), made(8, Kind::idempotent)}},
      {2,
       {answered(1, Kind::idempotent, 1), ended(2, Kind::once, status::crashed), answered(3, Kind::idempotent, 2),
        answered(3, Kind::read, 2), ended(4, Kind::idempotent, status::overloaded), answered(5, Kind::once, 3)}}};
  State state{{{1, {{1, 5}, {7, 1}}}, {2, {{1, 1}, {3, 1}, {5, 1}}}}, 0};

  [[nodiscard]] Verdict verdict() const { return check(histories, state); }
  Call& call(std::size_t incarnation, std::size_t at) { return histories[incarnation - 1].calls[at - 1]; }
};

TEST(HistoryChecker, FindsNothingInAHistoryThatIsRight) {
  const Verdict verdict = Case{}.verdict();
  EXPECT_EQ(verdict.wrong(), 0u) << verdict.examples.at(0);
  EXPECT_EQ(verdict.calls, 14u);
  EXPECT_EQ(verdict.acknowledged, 8u);
  EXPECT_EQ(verdict.unknown, 4u);
  EXPECT_EQ(verdict.unknown_in_state, 1u);
  EXPECT_EQ(verdict.failed, 1u);
  EXPECT_EQ(verdict.reads, 1u);
}

TEST(HistoryChecker, LetsWhatIsUnknownBeThereOnceOrNotAtAll) {
  for (const std::vector<soak::Run>& runs :
       {std::vector<soak::Run>{{1, 5}}, {{1, 6}}, {{1, 7}}, {{1, 8}}, {{1, 5}, {7, 2}}}) {
    Case right;
    right.state.handled[1] = runs;
    EXPECT_EQ(right.verdict().wrong(), 0u) << runs.back().first;
  }
}

struct Doctored {
  const char* rule;
  std::uint64_t Verdict::*count;
  std::function<void(Case&)> doctor;
};

const std::vector<Doctored> doctored{
    {"lost: the last one that was answered", &Verdict::lost, [](Case& c) { c.state.handled[2].pop_back(); }},
    {"lost: all of an incarnation", &Verdict::lost, [](Case& c) { c.state.handled.erase(1); }},
    {"lost: one that was answered, in the middle", &Verdict::lost,
     [](Case& c) {
       c.state.handled[1] = {{1, 4}, {7, 1}};
     }},
    {"duplicated: answered, and handled again", &Verdict::duplicated,
     [](Case& c) {
       c.state.handled[1] = {{1, 5}, {7, 1}, {7, 1}};
     }},
    {"duplicated: unknown, and handled again later", &Verdict::duplicated,
     [](Case& c) {
       c.state.handled[1] = {{1, 8}, {6, 1}};
     }},
    {"unexpected: a number that nobody made", &Verdict::unexpected,
     [](Case& c) {
       c.state.handled[1] = {{1, 5}, {7, 1}, {9, 1}};
     }},
    {"unexpected: a number before the first", &Verdict::unexpected,
     [](Case& c) {
       c.state.handled[1] = {{1, 5}, {7, 1}, {0, 1}};
     }},
    {"unexpected: an incarnation that nobody was", &Verdict::unexpected,
     [](Case& c) {
       c.state.handled[3] = {{1, 1}};
     }},
    {"hole: 7 may run again, 8 is in the state", &Verdict::hole,
     [](Case& c) {
       c.state.handled[1] = {{1, 6}, {8, 1}};
     }},
    {"reordered: 8 before 7", &Verdict::reordered,
     [](Case& c) {
       c.state.handled[1] = {{1, 6}, {8, 1}, {7, 1}};
     }},
    {"moved: rolled back and made anew in another order", &Verdict::moved, [](Case& c) { c.call(2, 6).answer = 4; }},
    {"stale: a read that misses what was answered before", &Verdict::stale, [](Case& c) { c.call(2, 4).answer = 1; }},
    {"stale: a read that sees what came after", &Verdict::stale, [](Case& c) { c.call(2, 4).answer = 3; }},
    {"contradicted: there was no room, and it is in the state", &Verdict::contradicted,
     [](Case& c) {
       c.state.handled[2] = {{1, 1}, {3, 3}};
       c.call(2, 6).answer = 4;
     }},
    {"contradicted: it crashed before it was kept, and it is in the state", &Verdict::contradicted,
     [](Case& c) {
       c.state.handled[2] = {{1, 3}, {5, 1}};
       c.call(2, 3).answer = 3, c.call(2, 4).answer = 3, c.call(2, 6).answer = 4;
     }},
    {"odd: what may run again ended as crashed", &Verdict::odd,
     [](Case& c) { c.call(1, 8) = ended(8, Kind::idempotent, status::crashed); }},
    {"odd: a call that hung until its deadline", &Verdict::odd,
     [](Case& c) { c.call(1, 6) = ended(6, Kind::once, status::deadline); }},
    {"odd: a deferred reply that died with the state", &Verdict::odd,
     [](Case& c) { c.call(1, 6) = ended(6, Kind::once, status::crashed_accepted); }},
    {"odd: a read that ended as crashed", &Verdict::odd,
     [](Case& c) { c.call(2, 4) = ended(3, Kind::read, status::crashed); }},
    {"torn: a message that was not whole", &Verdict::torn, [](Case& c) { c.state.torn = 1; }},
};

TEST(HistoryChecker, FindsEachThingThatMayNotBe) {
  for (const Doctored& one : doctored) {
    Case wrong;
    one.doctor(wrong);
    const Verdict verdict = wrong.verdict();
    EXPECT_GE(verdict.*one.count, 1u) << one.rule;
    EXPECT_EQ(verdict.wrong(), verdict.*one.count) << one.rule << ": more than it is wrong";
    EXPECT_EQ(verdict.examples.empty(), verdict.torn == verdict.wrong()) << one.rule;
  }
}

TEST(HistoryChecker, AddsUpWhatSeveralStatesShowed) {
  Case wrong;
  wrong.state.handled.erase(1);
  Verdict sum = Case{}.verdict();
  sum.add(wrong.verdict());
  EXPECT_EQ(sum.calls, 28u);
  EXPECT_EQ(sum.lost, 5u);
  EXPECT_EQ(sum.wrong(), 5u);
  EXPECT_EQ(sum.examples.size(), 5u);
}

}  // namespace
}  // namespace symphony::soak
