// Snapshots: what is restored is what was saved, byte for byte, and behaves as it did.
#include <array>
#include <string>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace snapshot {
namespace {

void note_says_whether(Trial& trial) {
  const auto mounted = mount(trial);
  pit::Snapshot taken;
  const pit::Outcome outcome = mounted->host().snapshot(taken);
  if (trial.note().state_revision == 0) {
    return Trial::require_refused(outcome, SYMPHONY_VERSION, "the note names no revision: a snapshot");
  }
  Trial::require_ok(outcome, "the note names a revision: a snapshot");
  Trial::require(taken.revision == trial.note().state_revision, "a snapshot of another revision than the note's");
  trial.remark = std::to_string(taken.bytes.size()) + " bytes when fresh";
}

// A pit that was used, at fed time.
std::unique_ptr<Mounted> worked(Trial& trial, const Corpus& corpus, int messages = 150) {
  auto mounted = mount_fed(trial);
  (void)work(trial, trial.random, corpus, mounted->host(), messages);
  return mounted;
}

void require_round_trip(pit::Host& host, const char* of) {
  const pit::Snapshot saved = snapshot_of(host, of);
  Trial::require_ok(host.restore(saved), std::string("restore ") + of);
  if (const pit::Snapshot again = snapshot_of(host, "after restore"); !same_state(saved, again)) {
    Trial::fail("restored and saved again, the state " + std::string(of) + " has other bytes: " +
                std::to_string(saved.bytes.size()) + " and " + std::to_string(again.bytes.size()) + " of them");
  }
}

void fresh_round_trip(Trial& trial) {
  trial.need_snapshots();
  const auto mounted = mount(trial);
  require_round_trip(mounted->host(), "of a fresh pit");
}

void worked_round_trip(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  for (int round = 0; round < 10; ++round) {
    const auto mounted = worked(trial, corpus, 30 * (round + 1));
    require_round_trip(mounted->host(), "after work");
  }
}

void saving_changes_nothing(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto mounted = worked(trial, corpus);
  const pit::Snapshot first = snapshot_of(mounted->host(), "first");
  for (int i = 0; i < 5; ++i) {
    Trial::require(same_state(first, snapshot_of(mounted->host(), "again")), "saved twice, the bytes differ");
  }
}

void in_pieces(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto mounted = worked(trial, corpus);
  const pit::Snapshot saved = snapshot_of(mounted->host(), "after work");
  for (const std::uint32_t piece : {1U, 3U, 7U, 4'096U}) {
    std::unique_ptr<pit::Instance> instance;
    Trial::require_ok(trial.stage.make_instance({.seed = 7}, instance), "create");
    Trial::require_ok(instance->init(), "init");
    instance->feed(7, fed_start_ns);
    Trial::require_ok(instance->restore(saved, piece), "restore through reads of " + std::to_string(piece));
    Trial::require_ok(instance->start(), "start");
    pit::Snapshot again;
    Trial::require_ok(instance->snapshot(again), "snapshot");
    if (!same_state(saved, again)) Trial::fail("read in pieces of " + std::to_string(piece) + ", it is another state");
  }
}

void behaves_as_before(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto original = worked(trial, corpus);
  const auto copy = mount_fed(trial);
  Trial::require_ok(copy->host().restore(snapshot_of(original->host(), "after work")), "restore into another pit");
  for (const auto& mounted : {original.get(), copy.get()}) {
    Trial::require_ok(mounted->host().feed(11, fed_start_ns), "feed");
  }
  const std::uint64_t seed = trial.random();
  Random a(seed), b(seed);
  const auto expected = work(trial, a, corpus, original->host(), 100);
  const auto got = work(trial, b, corpus, copy->host(), 100);
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] != expected[i]) {
      Trial::fail("message " + std::to_string(i) + " after the snapshot: the original answers " +
                  expected[i].described() + ", the restored one " + got[i].described());
    }
  }
  Trial::require(same_state(snapshot_of(original->host(), "of the original"), snapshot_of(copy->host(), "of the copy")),
                 "after the same messages, the original and the restored pit have other states");
}

void goes_back(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto mounted = mount_fed(trial);
  const pit::Snapshot early = snapshot_of(mounted->host(), "early");
  (void)work(trial, trial.random, corpus, mounted->host(), 100);
  Trial::require_ok(mounted->host().restore(early), "restore of an earlier state");
  Trial::require(same_state(early, snapshot_of(mounted->host(), "after going back")),
                 "something of the later state stayed");
  require_usable(trial, mounted->host(), "going back to an earlier state");
}

void when_drained(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto mounted = worked(trial, corpus);
  Trial::require_ok(mounted->host().drain(no_deadline_ns), "drain");
  const pit::Snapshot drained = snapshot_of(mounted->host(), "when drained");
  Trial::require_refused(mounted->host().restore(drained), SYMPHONY_BAD_STATE, "restore of a drained pit");
  Trial::require_ok(mounted->host().start(), "start");
  Trial::require(same_state(drained, snapshot_of(mounted->host(), "after start")), "start changed the state");
}

constexpr std::array cases{
    Case{"snapshot.is_what_the_note_says", "there is one, of the note's revision, or it is refused", Ground::any,
         &note_says_whether},
    Case{"snapshot.fresh_round_trip", "a fresh state, restored and saved again, has the same bytes", Ground::any,
         &fresh_round_trip},
    Case{"snapshot.worked_round_trip", "a state after work, restored and saved again, has the same bytes", Ground::any,
         &worked_round_trip},
    Case{"snapshot.changes_nothing", "saved again and again, the bytes are the same", Ground::any,
         &saving_changes_nothing},
    Case{"snapshot.comes_in_pieces", "read through 1, 3, 7 and 4,096 bytes at once it is the same state",
         Ground::instance, &in_pieces},
    Case{"snapshot.behaves_as_before", "a restored pit answers as the original does", Ground::any, &behaves_as_before},
    Case{"snapshot.goes_back", "an earlier state replaces a later one wholly", Ground::any, &goes_back},
    Case{"snapshot.when_drained", "a drained pit is saved, not restored; start leaves its state", Ground::any,
         &when_drained},
};

}  // namespace
}  // namespace snapshot

std::span<const Case> snapshot_cases() noexcept { return snapshot::cases; }

}  // namespace symphony::pit_check
