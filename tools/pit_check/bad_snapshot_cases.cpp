// Snapshots that are none. They are refused with a status, and the pit goes on with the state it had.
#include <array>
#include <string>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace bad_snapshot {
namespace {

constexpr int tries = 200;
constexpr std::size_t cuts_max = 400;

// A used pit, its state, and snapshots made of it.
class Victim {
 public:
  explicit Victim(Trial& trial) : trial_(trial), corpus_(trial), mounted_(mount_fed(trial)) {
    (void)work(trial, trial.random, corpus_, mounted_->host(), 40);
    saved_ = snapshot_of(mounted_->host(), "after work");
  }
  [[nodiscard]] const pit::Snapshot& saved() const noexcept { return saved_; }
  [[nodiscard]] pit::Host& host() noexcept { return mounted_->host(); }

  // Must be refused, with the state as it was.
  void refuse(const pit::Snapshot& bad, const std::string& what) {
    const pit::Outcome outcome = judge(bad, what);
    if (outcome.ok()) Trial::fail(what + " was restored as if it were whole");
    require_untouched(what);
  }
  // May be restored if it is a state after all: then it can be saved and restored like any other.
  void try_out(const pit::Snapshot& odd, const std::string& what) {
    if (!judge(odd, what).ok()) return require_untouched(what);
    const pit::Snapshot became = snapshot_of(host(), "of what was restored");
    Trial::require_ok(host().restore(became), what + " was restored, and what became of it cannot be");
    Trial::require(same_state(became, snapshot_of(host(), "again")),
                   what + " was restored, and does not come through a second restore");
    Trial::require_ok(host().restore(saved_), "restore of the good state");
  }
  void finish(std::string_view after) { require_usable(trial_, host(), after); }

 private:
  pit::Outcome judge(const pit::Snapshot& bad, const std::string& what) {
    pit::Outcome outcome = host().restore(bad);
    if (const auto fault = fault_of(trial_.note(), {outcome.status, 0, {}, {}})) Trial::fail(what + ": " + *fault);
    return outcome;
  }
  void require_untouched(const std::string& what) {
    Trial::require(same_state(saved_, snapshot_of(host(), "after a refused restore")),
                   what + " was refused, and changed the state");
  }
  Trial& trial_;
  Corpus corpus_;
  std::unique_ptr<Mounted> mounted_;
  pit::Snapshot saved_;
};

pit::Snapshot with_bytes(const pit::Snapshot& of, Body bytes) { return {of.revision, std::move(bytes), of.timers}; }

void truncated(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  const std::size_t size = victim.saved().bytes.size();
  const std::size_t step = std::max<std::size_t>(1, size / cuts_max);
  for (std::size_t cut = 0; cut < size; cut += step) {
    const auto kept = std::span(victim.saved().bytes).first(cut);
    victim.refuse(with_bytes(victim.saved(), Body(kept.begin(), kept.end())),
                  "a snapshot of " + std::to_string(size) + " bytes, cut to " + std::to_string(cut));
  }
  victim.finish("truncated snapshots");
}

void too_long(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  for (const std::size_t more : {std::size_t{1}, std::size_t{8}, std::size_t{10'000}}) {
    Body bytes(victim.saved().bytes.begin(), victim.saved().bytes.end());
    bytes.insert(bytes.end(), more, std::byte{0});
    victim.refuse(with_bytes(victim.saved(), bytes), "a snapshot with " + std::to_string(more) + " bytes behind it");
  }
  victim.finish("snapshots with bytes behind them");
}

void empty(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  if (victim.saved().bytes.empty()) {
    victim.try_out(with_bytes(victim.saved(), {}), "an empty snapshot");
  } else {
    victim.refuse(with_bytes(victim.saved(), {}), "an empty snapshot");
  }
  victim.finish("an empty snapshot");
}

void random(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  for (int i = 0; i < trial.rounds(tries); ++i) {
    // Often of the right size, so that it comes past the first look.
    const std::size_t size = below(trial.random, 2) == 0 ? victim.saved().bytes.size() : below(trial.random, 300);
    victim.try_out(with_bytes(victim.saved(), random_bytes(trial.random, size)), "a snapshot of random bytes");
  }
  victim.finish("random snapshots");
}

void bit_flipped(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  const std::size_t bits = victim.saved().bytes.size() * 8;
  if (bits == 0) Trial::skip("the pit's snapshots are empty");
  for (int i = 0; i < trial.rounds(tries); ++i) {
    victim.try_out(with_bytes(victim.saved(), flipped(victim.saved().bytes, below(trial.random, bits))),
                   "a snapshot with a flipped bit");
  }
  victim.finish("snapshots with a flipped bit");
}

void wrong_revision(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  for (const std::uint32_t revision :
       {0U, trial.note().state_revision_min - 1, trial.note().state_revision + 1, UINT32_MAX}) {
    pit::Snapshot other = victim.saved();
    other.revision = revision;
    Trial::require_refused(victim.host().restore(other), SYMPHONY_VERSION,
                           "restore of revision " + std::to_string(revision));
    victim.refuse(other, "a snapshot of revision " + std::to_string(revision));
  }
  victim.finish("snapshots of other revisions");
}

void older_revisions(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  // The bytes are of the newest revision: each older one takes or refuses them by its own rules.
  for (std::uint32_t revision = trial.note().state_revision_min; revision <= trial.note().state_revision; ++revision) {
    pit::Snapshot other = victim.saved();
    other.revision = revision;
    victim.try_out(other, "a snapshot said to be of revision " + std::to_string(revision));
    for (int i = 0; i < 20; ++i) {
      other.bytes = random_bytes(trial.random, below(trial.random, 64));
      victim.try_out(other, "random bytes said to be of revision " + std::to_string(revision));
    }
  }
  victim.finish("snapshots of older revisions");
}

void too_many_timers(Trial& trial) {
  trial.need_snapshots();
  Victim victim(trial);
  pit::Snapshot other = victim.saved();
  other.timers.clear();
  for (std::uint64_t id = 0; id <= SYMPHONY_TIMERS_MAX; ++id) other.timers.push_back({id, second_ns});
  victim.refuse(other, "a snapshot with more timers than an instance may have");
  victim.finish("a snapshot with too many timers");
}

constexpr std::array cases{
    Case{"bad_snapshot.empty", "an empty snapshot is refused, unless the state is empty", Ground::any, &empty},
    Case{"bad_snapshot.truncated", "a snapshot that was cut anywhere is refused", Ground::any, &truncated},
    Case{"bad_snapshot.too_long", "bytes behind the state are refused", Ground::any, &too_long},
    Case{"bad_snapshot.random", "random bytes are refused, or a state like any other", Ground::any, &random},
    Case{"bad_snapshot.bit_flipped", "a snapshot with a flipped bit is refused, or a state like any other", Ground::any,
         &bit_flipped},
    Case{"bad_snapshot.wrong_revision", "revisions outside the note's are refused as VERSION", Ground::any,
         &wrong_revision},
    Case{"bad_snapshot.older_revision", "each revision of the note takes or refuses what it is given", Ground::any,
         &older_revisions},
    Case{"bad_snapshot.too_many_timers", "more timers than an instance has are refused", Ground::any, &too_many_timers},
};

}  // namespace
}  // namespace bad_snapshot

std::span<const Case> bad_snapshot_cases() noexcept { return bad_snapshot::cases; }

}  // namespace symphony::pit_check
