// Who is inside an executor: every execution of small programs at the door, and each of its rules missed once.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <symphony/clock.hpp>
#include <vector>

#include "bench/support/figure.hpp"
#include "mutants.hpp"
#include "pits/hosting/door.hpp"
#include "tests/proof/door/tso.hpp"

namespace symphony::proof {
namespace {

using Name = std::uintptr_t;
constexpr Name name_of(std::size_t thread) noexcept { return 8 * (thread + 1); }

// What a thread does, a letter each: e enters, s enters by the shared way, n enters and tries once more from inside,
// g enters by the shared way and passes the door on, w takes it where it was passed on.
struct Program {
  const char* name;
  std::vector<const char*> threads;
  std::uint32_t own_after;
  bool owned;  // thread 0 is the owner when it begins
};
const std::vector<Program>& programs() {
  static const std::vector<Program> all{
      {"owner and one more", {"eee", "ee"}, 1, true},      {"owner and two more", {"ee", "e", "s"}, 1, true},
      {"nobody owns it yet", {"ee", "ee"}, 1, false},      {"it is owned after two in a row", {"eee", "ee"}, 2, false},
      {"the owner calls itself", {"nn", "e"}, 1, true},    {"the owner gives it up", {"se", "e", "e"}, 1, true},
      {"the owner passes it on", {"ge", "we"}, 1, true},   {"it is passed back to its owner", {"we", "ge"}, 1, true},
      {"nobody ever owns it", {"ee", "e", "e"}, 0, false},
  };
  return all;
}

class Execution {
 public:
  explicit Execution(const Program& program) : program_(program) {}

  tso::Explorer::Found explore() {
    return tso::Explorer::explore(
        program_.threads.size(), [&] { begin(); }, [&](std::size_t thread) { body(thread); }, [&] { end(); });
  }

 private:
  using Door = pit::Door<tso::Machine>;

  void begin() {
    door_.emplace(program_.own_after);
    data_.emplace(0);
    passed_on_.emplace(0);
    inside_ = 0;
    entries_ = 0;
    if (!program_.owned) return;
    (void)door_->try_enter(name_of(0));
    door_->leave(name_of(0));
  }
  void body(std::size_t thread) {
    const Name me = name_of(thread);
    for (const char* step = program_.threads[thread]; *step != 0; ++step) {
      if (!enter(*step, me)) {
        tso::Explorer::require(!door_->holds(me), "a thread that was refused holds the door");
        continue;
      }
      tso::Explorer::require(inside_++ == 0, "two threads are inside");
      ++entries_;
      // What one leaves behind the next one finds: a plain variable, as the processor sees it.
      const std::uint64_t before = data_->load(std::memory_order_relaxed);
      tso::Explorer::pause();
      if (*step == 'n') {
        tso::Explorer::require(door_->holds(me), "the one inside does not hold the door");
        tso::Explorer::require(!door_->try_enter(me), "a thread entered twice");
      }
      data_->store(before + 1, std::memory_order_relaxed);
      --inside_;
      if (*step == 'g') {
        door_->give_to_nobody();
        tso::Explorer::require(!door_->holds(me), "a door passed on is still held");
        passed_on_->store(1, std::memory_order_release);
      } else {
        door_->leave(me);
      }
    }
  }
  bool enter(char how, Name me) {
    if (how == 's' || how == 'g') return door_->try_enter_shared(me);
    if (how != 'w') return door_->try_enter(me);
    std::uint64_t expected = 1;
    if (!passed_on_->compare_exchange_strong(expected, 0, std::memory_order_acquire, std::memory_order_relaxed)) {
      return false;
    }
    door_->take_over(me);
    return true;
  }
  void end() {
    tso::Explorer::require(data_->load(std::memory_order_relaxed) == entries_, "what was done inside got lost");
    if (enter('w', name_of(0))) door_->leave(name_of(0));  // nobody took what was passed on
    for (const bool is_shared : {false, true}) {
      for (std::size_t thread = 0; thread < program_.threads.size(); ++thread) {
        const Name me = name_of(thread);
        tso::Explorer::require(!door_->holds(me), "a thread that left holds the door");
        tso::Explorer::require(is_shared ? door_->try_enter_shared(me) : door_->try_enter(me),
                               "nobody is inside, and a thread is refused");
        door_->leave(me);
      }
    }
  }

  const Program& program_;
  std::optional<Door> door_;
  std::optional<tso::Word<std::uint64_t>> data_;
  std::optional<tso::Word<std::uint64_t>> passed_on_;
  int inside_ = 0;
  std::uint64_t entries_ = 0;
};

TEST(Door, LetsOneThreadInAtATimeAndNobodyWaitForAnEmptyRoomInEveryExecution) {
  mutants::chosen = -1;
  std::uint64_t states = 0;
  const TimeNs start = now_ns();
  for (const Program& program : programs()) {
    const auto found = Execution(program).explore();
    EXPECT_EQ(found.violation, "") << program.name;
    EXPECT_GT(found.states, 100u) << program.name;
    std::printf("%-40s %9llu states, %9llu executions\n", program.name, static_cast<unsigned long long>(found.states),
                static_cast<unsigned long long>(found.executions));
    states += found.states;
  }
  bench::Figure figure;
  figure.name = "contract.door.states";
  figure.value = static_cast<double>(states);
  figure.unit = "count";
  figure.n = programs().size();
  figure.seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  figure.note = "states of small programs at the executor's door under total store order, each without a violation";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

TEST(Door, EachRuleThatIsMissedIsFound) {
  std::size_t found = 0;
  constexpr auto count = std::size(mutants::names);
  for (std::size_t i = 0; i < count; ++i) {
    mutants::chosen = static_cast<int>(i);
    std::string violation;
    const char* in = "";
    for (const Program& program : programs()) {
      violation = Execution(program).explore().violation;
      in = program.name;
      if (!violation.empty()) break;
    }
    EXPECT_NE(violation, "") << mutants::names[i];
    found += !violation.empty();
    std::printf("%-32s %s: %s\n", mutants::names[i], in, violation.c_str());
  }
  mutants::chosen = -1;
  bench::Figure figure;
  figure.name = "contract.door.mutants";
  figure.value = static_cast<double>(found);
  figure.of = static_cast<double>(count);
  figure.unit = "count";
  figure.n = count;
  figure.note = "rules of the executor's door, each dropped once, and found by some execution";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

}  // namespace
}  // namespace symphony::proof
