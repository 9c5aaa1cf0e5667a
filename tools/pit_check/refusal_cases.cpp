// A host that says no: what a pit asks for and does not get harms nobody, and the pit goes on.
#include <array>
#include <string>

#include "tools/pit_check/between.hpp"
#include "tools/pit_check/by_hand.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace refusal {
namespace {

constexpr int messages = 200;

// Messages to a pit that is refused something, and then to one that is not: each has one ending, no rule is broken, and
// what was refused is counted in the remark.
void work_refused(Trial& trial, const Refusals& what, std::string_view name) {
  const Corpus corpus(trial);
  Blames blames;
  const auto instance = make_running(trial, {.log = &blames, .seed = 7});
  Between& between = Between::of_this_process();
  const auto work = [&](const char* when) {
    for (int i = 0; i < messages; ++i) {
      const Ending ending = send(*instance, corpus.any(trial.random));
      if (const auto fault = fault_of(trial.note(), {ending.status, 0, {}, {}})) {
        Trial::fail(std::string(when) + " " + std::string(name) + " refused, a message: " + *fault);
      }
    }
    Trial::require(between.escaped().empty(), between.escaped());
  };
  between.refuse(what);
  work("with");
  trial.remark = std::to_string(between.refused()) + " " + std::string(name) + " refused";
  between.refuse({});
  work("after");
  if (!blames.lines().empty()) Trial::fail("the host's log: " + blames.lines().front());
}

void claims(Trial& trial) { work_refused(trial, {.claims = true}, "claims"); }
void publishing(Trial& trial) { work_refused(trial, {.publishing = true}, "publications"); }
void calls(Trial& trial) { work_refused(trial, {.calls = true}, "calls of others"); }
void timers(Trial& trial) { work_refused(trial, {.timers = true}, "timers"); }

// A pit with some state, and its bytes.
struct Saved {
  std::unique_ptr<pit::Instance> instance;
  pit::Snapshot state;
};
Saved saved_after_work(Trial& trial) {
  const Corpus corpus(trial);
  Saved saved{make_running(trial), {}};
  for (int i = 0; i < messages; ++i) (void)send(*saved.instance, corpus.any(trial.random));
  Trial::require_ok(saved.instance->snapshot(saved.state), "snapshot");
  return saved;
}

// Where in the bytes it is refused: at once, in the middle, at the last one.
std::array<std::size_t, 3> places(std::size_t size) { return {0, size / 2, size - 1}; }

void snapshot_room(Trial& trial) {
  trial.need_snapshots();
  const Saved saved = saved_after_work(trial);
  const std::size_t size = saved.state.bytes.size();
  if (size == 0) Trial::skip("the pit's snapshots are empty");
  for (const std::size_t room : places(size)) {
    Between::of_this_process().refuse({.sink_room = room});
    pit::Snapshot none;
    const pit::Outcome taken = saved.instance->snapshot(none);
    Between::of_this_process().refuse({});
    Trial::require_refused(taken, SYMPHONY_OVERLOADED,
                           "a snapshot of " + std::to_string(size) + " bytes, with room for " + std::to_string(room));
    pit::Snapshot again;
    Trial::require_ok(saved.instance->snapshot(again), "snapshot after one without room");
    Trial::require(same_state(saved.state, again), "a snapshot without room changed the state");
  }
}

void restore_source(Trial& trial) {
  trial.need_snapshots();
  const Saved saved = saved_after_work(trial);
  const std::size_t size = saved.state.bytes.size();
  if (size == 0) Trial::skip("the pit's snapshots are empty");
  for (const std::size_t gives : places(size)) {
    const auto instance = make(trial);
    Trial::require_ok(instance->init(), "init");
    instance->feed(7, fed_start_ns);
    Between::of_this_process().refuse({.source_gives = gives});
    const pit::Outcome restored = instance->restore(saved.state);
    Between::of_this_process().refuse({});
    Trial::require_refused(
        restored, SYMPHONY_OVERLOADED,
        "a restore whose source fails after " + std::to_string(gives) + " of " + std::to_string(size) + " bytes");
    Trial::require_ok(instance->restore(saved.state), "restore after one whose source failed");
    Trial::require_ok(instance->start(), "start");
    pit::Snapshot again;
    Trial::require_ok(instance->snapshot(again), "snapshot");
    Trial::require(same_state(saved.state, again), "a restore whose source failed left something behind");
  }
}

constexpr std::array cases{
    Case{"refusal.claim", "without room for a reply each request has an ending, and the next is served",
         Ground::instance, &claims},
    Case{"refusal.publish", "publishing without permission is denied, and harms nobody", Ground::instance, &publishing},
    Case{"refusal.call", "a call of another pit that the host does not take harms nobody", Ground::instance, &calls},
    Case{"refusal.timer", "a timer that the host does not take harms nobody", Ground::instance, &timers},
    Case{"refusal.snapshot", "a snapshot without room fails with the sink's status and changes nothing",
         Ground::instance, &snapshot_room},
    Case{"refusal.restore", "a restore whose source fails fails with its status, and leaves nothing behind",
         Ground::instance, &restore_source},
};

}  // namespace
}  // namespace refusal

std::span<const Case> refusal_cases() noexcept { return refusal::cases; }

}  // namespace symphony::pit_check
