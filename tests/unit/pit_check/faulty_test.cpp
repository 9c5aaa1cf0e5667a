// Each case of the suite finds the fault that it is there for: a pit with that fault, and nothing else wrong, fails it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/unit/pit_check/suite.hpp"

SYMPHONY_DECLARE_PIT(faulty);

namespace symphony::pit_check {
namespace {

struct Fault {
  const char* name;  // of tests/support/pits/faulty.cpp; or a file of its own
  const char* found_by;
  const char* mode = "dynamic";
  const char* words = "";  // of the reason
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name << " by " << fault.found_by; }

class AFault : public testing::TestWithParam<Fault> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(is_case(GetParam().found_by)) << GetParam().found_by;
    ::setenv("SYMPHONY_TEST_FAULT", GetParam().name, 1);
  }
  void TearDown() override { ::unsetenv("SYMPHONY_TEST_FAULT"); }
};

// A pit that hangs is waited for.
TimeNs limit_of(const Fault& fault) {
  return std::string_view(fault.name).starts_with("hang") ? 2 * second_ns : 120 * second_ns;
}

void expect_failed(const Report& report, const Fault& fault) {
  ASSERT_EQ(report.cases.size(), 1u);
  const CaseResult& result = report.cases[0];
  EXPECT_EQ(to_string(result.verdict), "failed") << result.text;
  EXPECT_NE(result.text.find(fault.words), std::string::npos) << result.text;
  EXPECT_FALSE(report.ok());
}

TEST_P(AFault, IsFoundByItsCase) {
  expect_failed(test::run(SYMPHONY_TEST_PITS "/faulty.so", GetParam().mode, GetParam().found_by, limit_of(GetParam()),
                          symphony_pit_faulty()),
                GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Pits, AFault,
    testing::Values(
        Fault{"unhandled", "note.lists_what_is_handled", "dynamic", "no handler"},
        Fault{"init_fails", "file.loads_and_starts", "dynamic", "init"},
        Fault{"odd_status", "state.running_refuses_start_and_stop"},
        Fault{"drain_fails", "state.drained_takes_no_messages", "process", "drain"},
        Fault{"starts_once", "state.drained_starts_again", "process", "start"},
        Fault{"drain_wants_no_deadline", "state.drain_takes_a_deadline", "process", "deadline"},
        Fault{"stop_fails", "state.stopped_is_the_end", "process", "stop"},
        Fault{"odd_status", "instance.refuses_before_it_runs"},
        Fault{"destroy_wants_start", "instance.goes_in_each_state", "dynamic", ""},
        Fault{"leak_memory", "instance.leaves_nothing", "dynamic", "bytes of memory"},
        Fault{"leak_descriptor", "instance.leaves_nothing", "dynamic", "descriptors"},
        Fault{"thread", "instance.has_no_threads", "dynamic", "threads of its own"},
        Fault{"crash_on_configuration", "instance.judges_configurations"},
        Fault{"shared_state", "instance.shares_nothing", "dynamic", "state outside the instance"},
        Fault{"second_commit", "instance.keeps_the_rules", "dynamic", "second commit"},
        Fault{"throw_in_create", "hook.create", "dynamic", "create() let an exception out: faulty.cpp throws"},
        Fault{"throw_in_init", "hook.init", "dynamic", "init() let an exception out"},
        Fault{"throw_in_start", "hook.start", "static", "start() let an exception out"},
        Fault{"throw_in_handle", "hook.handle", "dynamic", "handle() let an exception out"},
        Fault{"throw_in_timer", "hook.timer", "dynamic", "timer() let an exception out"},
        Fault{"throw_in_drain", "hook.drain", "static", "drain() let an exception out"},
        Fault{"throw_in_snapshot", "hook.snapshot", "dynamic", "snapshot() let an exception out"},
        Fault{"throw_in_restore", "hook.restore", "dynamic", "restore() let an exception out"},
        Fault{"throw_in_stop", "hook.stop", "dynamic", "stop() let an exception out"},
        Fault{"throw_in_destroy", "hook.destroy", "dynamic", "destroy() let an exception out"},
        Fault{"hang_in_create", "hook.create", "dynamic", "within 2 s: create() hangs"},
        Fault{"hang_in_init", "hook.init", "dynamic", "within 2 s: init() hangs"},
        Fault{"hang_in_start", "hook.start", "dynamic", "within 2 s: start() hangs"},
        Fault{"hang_in_handle", "hook.handle", "dynamic", "within 2 s: handle() hangs"},
        Fault{"hang_in_timer", "hook.timer", "dynamic", "within 2 s: timer() hangs"},
        Fault{"hang_in_drain", "hook.drain", "dynamic", "within 2 s: drain() hangs"},
        Fault{"hang_in_snapshot", "hook.snapshot", "static", "within 2 s: snapshot() hangs"},
        Fault{"hang_in_restore", "hook.restore", "dynamic", "within 2 s: restore() hangs"},
        Fault{"hang_in_stop", "hook.stop", "dynamic", "within 2 s: stop() hangs"},
        Fault{"hang_in_destroy", "hook.destroy", "dynamic", "within 2 s: destroy() hangs"},
        Fault{"throw_in_init", "hook.init", "process", "create(), init() or start(): the pit did not become ready"},
        Fault{"hang_in_create", "hook.create", "process", "within 2 s: create(), init() or start() hangs"},
        Fault{"throw_in_handle", "hook.handle", "process", "handle(): the pit's process died"},
        Fault{"throw_in_timer", "hook.timer", "process", "timer(): the pit's process died"},
        Fault{"throw_in_drain", "hook.drain", "process", "drain(): the pit's process died"},
        Fault{"throw_in_snapshot", "hook.snapshot", "process", "snapshot(): the pit's process died"},
        Fault{"throw_in_restore", "hook.restore", "process", "restore(): the pit's process died"},
        Fault{"throw_in_stop", "hook.stop", "process", "stop(): the pit's process died"},
        Fault{"throw_in_destroy", "hook.destroy", "process", "destroy(): the pit's process died"},
        Fault{"hang_in_drain", "hook.drain", "process", "within 2 s: drain() hangs"},
        Fault{"hang_in_restore", "hook.restore", "process", "within 2 s: restore() hangs"},
        Fault{"insists_on_claims", "refusal.claim", "dynamic", "in handle()"},
        Fault{"insists_on_publishing", "refusal.publish", "dynamic", "does not have"},
        Fault{"insists_on_calls", "refusal.call", "dynamic", "in handle()"},
        Fault{"insists_on_timers", "refusal.timer", "dynamic", "in handle()"},
        Fault{"insists_on_snapshots", "refusal.snapshot", "dynamic", "with room for 0"},
        Fault{"insists_on_restores", "refusal.restore", "dynamic", "fails after 0"},
        Fault{"crash_when_cancelled", "cancel.in_a_handler", "dynamic", "in handle()"},
        Fault{"stays_cancelled", "cancel.in_a_handler", "dynamic", "remembers"},
        Fault{"crash_when_cancelled", "cancel.callers_that_leave", "process", "the end of the pit"},
        Fault{"crash_on_unknown", "message.unknown_type"}, Fault{"crash_on_unknown", "message.unknown_type", "process"},
        Fault{"hang_on_empty", "message.empty", "dynamic", "did not end within 2 s"},
        Fault{"crash_on_short", "message.short", "process"}, Fault{"internal", "message.random", "dynamic", "bug"},
        Fault{"not_utf8", "message.random", "process", "UTF-8"}, Fault{"crash_on_zeroes", "message.constant"},
        Fault{"crash_on_message", "message.shaped", "process", "died"},
        Fault{"crash_on_large", "message.large", "process"}, Fault{"crash_on_odd_size", "message.truncated"},
        Fault{"crash_on_far_root", "message.bit_flipped"}, Fault{"crash_on_far_root", "message.damaged", "process"},
        Fault{"crash_on_message", "message.of_another_type"},
        Fault{"address", "message.at_any_address", "dynamic", "odd address"},
        Fault{"odd_ending", "ending.one_each", "process", "does not have"},
        Fault{"odd_ending", "ending.one_each_of_many_links"}, Fault{"odd_ending", "ending.one_each_of_many_threads"},
        Fault{"snapshot_counts", "ending.late_calls_are_not_executed"},
        Fault{"large_reply", "ending.replies_fit_the_note", "dynamic", "did not fit"},
        Fault{"open_per_message", "ending.links_leave_nothing", "dynamic", "descriptors"},
        Fault{"snapshot_fails", "snapshot.is_what_the_note_says"},
        Fault{"restore_begins_at_one", "snapshot.fresh_round_trip", "process", "other bytes"},
        Fault{"restore_forgets", "snapshot.worked_round_trip", "dynamic", "other bytes"},
        Fault{"snapshot_counts", "snapshot.changes_nothing", "process", "differ"},
        Fault{"one_read", "snapshot.comes_in_pieces", "dynamic", "reads of 1"},
        Fault{"hidden_state", "snapshot.behaves_as_before", "dynamic", "the restored one"},
        Fault{"restore_keeps_highest", "snapshot.goes_back", "process", "later state"},
        Fault{"start_counts", "snapshot.when_drained", "dynamic", "start changed"},
        Fault{"takes_empty", "bad_snapshot.empty", "dynamic", "as if it were whole"},
        Fault{"takes_truncated", "bad_snapshot.truncated", "process", "as if it were whole"},
        Fault{"takes_more", "bad_snapshot.too_long", "dynamic", "as if it were whole"},
        Fault{"crash_on_bad_state", "bad_snapshot.random"},
        Fault{"crash_on_bad_state", "bad_snapshot.bit_flipped", "process"},
        Fault{"snapshot_counts", "bad_snapshot.wrong_revision", "dynamic", "changed the state"},
        Fault{"crash_on_old", "bad_snapshot.older_revision"},
        Fault{"snapshot_counts", "bad_snapshot.too_many_timers", "dynamic", "changed the state"},
        Fault{"own_clock", "replay.same_replies", "dynamic", "replayed"},
        Fault{"address_in_snapshot", "replay.same_states", "dynamic", "another snapshot"},
        Fault{"timer", "replay.timer_storm"}, Fault{"crash_on_bad_state", "fuzz.everything_mixed"},
        Fault{"internal", "kill.at_rest", "process", "bug"}, Fault{"odd_ending", "kill.at_work", "process"},
        Fault{"not_fresh", "kill.state_begins_anew", "process", "fresh"}),
    [](const auto& of) {
      std::string name = std::string(of.param.name) + "_by_" + of.param.found_by + "_" + of.param.mode;
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });

class AFile : public testing::TestWithParam<Fault> {};

TEST_P(AFile, ThatIsNoPitsIsFoundByItsCase) {
  expect_failed(test::run(SYMPHONY_TEST_PITS "/" + std::string(GetParam().name), GetParam().mode, GetParam().found_by,
                          limit_of(GetParam())),
                GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Pits, AFile,
    testing::Values(Fault{"two_pits.so", "note.is_readable", "dynamic", "2 notes"},
                    Fault{"liar.so", "note.equals_the_table", "dynamic", "differ in the reply_size_max"},
                    Fault{"unique.so", "file.has_no_unique_symbols", "dynamic", "one_for_the_whole_process"},
                    Fault{"loud.so", "file.exports_one_symbol", "dynamic", "it exports more than its entry"},
                    Fault{"loud.so", "file.has_few_initialisers", "dynamic", "are heavy"}),
    [](const auto& of) {
      std::string name = of.param.found_by;
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });

#if defined(SYMPHONY_WASM_BUILT)
INSTANTIATE_TEST_SUITE_P(
    Guests, AFile,
    testing::Values(Fault{"hang_in_drain_wasm.so", "hook.drain", "wasm", "trapped in drain(): a time budget"},
                    Fault{"restore_refuses_wasm.so", "trap.at_work", "wasm", "did not start"},
                    Fault{"restore_forgets_wasm.so", "trap.state_is_kept", "wasm", "another state"},
                    Fault{"restore_forgets_wasm.so", "snapshot.worked_round_trip", "wasm", "other bytes"}),
    [](const auto& of) {
      std::string name = of.param.found_by;
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });
#endif

TEST(Suite, ACaseThatDiesSaysOfWhatAndShowsWhatWasWritten) {
  ::setenv("SYMPHONY_TEST_FAULT", "crash_on_unknown", 1);
  const Report report = test::run(SYMPHONY_TEST_PITS "/faulty.so", "dynamic", "message.unknown_type");
  ::unsetenv("SYMPHONY_TEST_FAULT");
  ASSERT_EQ(report.cases.size(), 1u);
  EXPECT_EQ(report.cases[0].text, "its process died of signal 6 (Aborted)");
  EXPECT_NE(report.cases[0].output.find("faulty.cpp aborts"), std::string::npos) << report.cases[0].output;
}

TEST(Suite, SaysOfAPitThatDoesNotStartSoOnceAndRunsNothingElseOfIt) {
  ::setenv("SYMPHONY_TEST_FAULT", "throw_in_create", 1);
  const Report report = test::run(SYMPHONY_TEST_PITS "/faulty.so", "dynamic");
  ::unsetenv("SYMPHONY_TEST_FAULT");
  ASSERT_EQ(report.modes.size(), 1u);
  EXPECT_EQ(report.modes[0].failed, 1u);
  EXPECT_GT(report.modes[0].passed, 3u) << "its file is looked at all the same";
  EXPECT_FALSE(report.ok());
  for (const CaseResult& one : report.cases) {
    if (one.verdict == Verdict::failed) {
      EXPECT_EQ(one.name, "file.loads_and_starts");
      EXPECT_NE(one.text.find("faulty.cpp throws"), std::string::npos) << one.text;
    }
    if (one.verdict == Verdict::skipped) {
      EXPECT_EQ(one.text, "not run: file.loads_and_starts failed");
    }
  }
}

}  // namespace
}  // namespace symphony::pit_check
