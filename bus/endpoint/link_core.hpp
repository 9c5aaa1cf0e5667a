// The data-thread side of a link: sends, takes replies, survives the pit's death.   Layer: endpoint.
//
// What the control thread learns (a death, a new epoch, the end) comes through a mailbox, which polling loops see with
// one load. On a death: drain the old reply ring to its first 0 (D2), read the pit's progress once (D3), and when the
// new epoch is there, judge each call without an ending in id order (D4). Threads: the thread that owns the link;
// post() and nudge() from any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <symphony/dead_letter.hpp>
#include <symphony/endpoint.hpp>

#include "bus/channel/channel.hpp"
#include "bus/endpoint/attachment.hpp"
#include "bus/endpoint/call_table.hpp"
#include "bus/endpoint/fork_guard.hpp"
#include "bus/endpoint/link_fd.hpp"
#include "bus/endpoint/mailbox.hpp"
#include "bus/endpoint/redelivery.hpp"
#include "bus/wait/sleep.hpp"
#include "bus/wait/spin.hpp"

namespace symphony::detail {

namespace link_event {
struct PeerDied {
  control::Epoch epoch;
};
struct NewEpoch {
  std::unique_ptr<Attached> attached;
};
// The pit will not come back to this link. `pit_is_dead`: surely; otherwise it may still run what was sent to it.
struct Ended {
  CallStatus status;
  std::string text;
  bool pit_is_dead = true;
};
// What came of a call that was tried alone. `status`, `type`, `body` and `text` are its answer, of a `read` one.
struct TriedAlone {
  std::uint64_t id;
  AloneOutcome outcome;
  CallStatus status;
  std::uint32_t type;
  std::vector<std::byte> body;
  std::string text;
};
}  // namespace link_event
using LinkEvent = std::variant<link_event::PeerDied, link_event::NewEpoch, link_event::Ended, link_event::TriedAlone>;
using LinkMailbox = Mailbox<LinkEvent>;

class AloneRuns;
class LinkCore;

// Of an open() that nobody waits for any more.
struct OpenCancel {
  std::atomic<bool> is_wanted{false};
};

// What a link asks of the control side.   Threads: called by the data thread, which it does not keep waiting.
class LinkControl {
 public:
  virtual ~LinkControl() = default;
  virtual void report_fault(const control::Attachment& at, RingFault fault) noexcept = 0;
  virtual void close_link(control::LinkId link) noexcept = 0;
  // Tells the broker, which may not be there.
  virtual void report_executing(const control::Executing&) noexcept {}
  virtual void park(control::Park&&) noexcept {}
  virtual void report_still(const control::StandsStill&) noexcept {}
  // Whether the broker keeps what is parked, and starts instances for one message; an older one does neither.
  [[nodiscard]] virtual bool keeps_letters() const noexcept { return true; }
  // A link to an instance that the broker starts for it, of the pit that `of` is a link to. Waits; from any thread.
  // wake_openings(): so that a cancel is seen.   Errors: busy (try again later), and those of open().
  [[nodiscard]] virtual result<std::unique_ptr<LinkCore>> open_alone(control::LinkId of, const LinkOptions& options,
                                                                     TimeNs deadline_ns, const OpenCancel& cancel);
  virtual void wake_openings() noexcept {}
  [[nodiscard]] virtual const ForkGuard& fork_guard() const noexcept = 0;
  // Sleep for links that are waited for by descriptor.
  [[nodiscard]] WatcherPool& watchers() noexcept { return watchers_; }

 private:
  WatcherPool watchers_;
};

class LinkCore {
 public:
  LinkCore(std::shared_ptr<LinkControl> control, std::shared_ptr<LinkMailbox> mailbox, std::unique_ptr<Attached> first,
           const LinkOptions& options);
  ~LinkCore();

  [[nodiscard]] std::optional<CallId> try_start(std::uint32_t type, std::span<const std::byte> body,
                                                const CallOptions& options) noexcept {
    return try_start(type, body, options, 0);
  }
  // `attempt`: how often it was being executed at a death already.
  [[nodiscard]] std::optional<CallId> try_start(std::uint32_t type, std::span<const std::byte> body,
                                                const CallOptions& options, std::uint8_t attempt) noexcept;
  [[nodiscard]] std::optional<Reply> try_take(CallId id) noexcept;
  Reply wait(CallId id) noexcept { return *wait_until(id, no_deadline_ns); }
  [[nodiscard]] std::optional<Reply> wait_until(CallId id, TimeNs until_ns) noexcept;
  [[nodiscard]] std::unique_ptr<std::byte[]> keep(const Reply& reply) noexcept;
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) noexcept;
  [[nodiscard]] bool wait_any(TimeNs deadline_ns) noexcept;
  void nudge() noexcept { mailbox_->nudge(); }
  [[nodiscard]] result<int> fd() noexcept;
  [[nodiscard]] bool arm_fd() noexcept;
  void close() noexcept;
  [[nodiscard]] result<void> wait_closed(TimeNs deadline_ns) noexcept;
  [[nodiscard]] LinkCounters counters() const noexcept;
  [[nodiscard]] bool has_ended() noexcept {
    (void)progress();
    return phase_ == Phase::ended;
  }
  [[nodiscard]] control::LinkId id() const noexcept { return attached_->at.link; }
  // One message alone: it is not tried alone once more.
  void be_alone() noexcept { is_alone_ = true; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return attached_ ? attached_->at.epoch : 0; }

 private:
  using Channel = CallerChannel<RealMem>;
  static constexpr std::uint64_t replies_per_turn_max = 256;
  // open: sending. down: the pit is dead, commits wait. ended: nothing will come any more.
  enum class Phase : std::uint8_t { open, down, ended };

  // Mail, and up to so many replies. True: something happened.
  bool progress(std::uint64_t replies_max = replies_per_turn_max) noexcept;
  void read_mail();
  void on_peer_died(control::Epoch epoch);
  void on_new_epoch(std::unique_ptr<Attached> attached);
  void drain() noexcept;
  [[nodiscard]] DeadEpoch autopsy() noexcept;
  [[nodiscard]] Verdict judged(const Call& call, const DeadEpoch& dead, std::uint64_t last_id) const noexcept;
  bool end_by_verdict(Call& call, Verdict verdict) noexcept;  // false: it is to be sent again, or waits
  void note_executing(const Call& call, const control::Attachment& at, const DeadEpoch& dead) noexcept;
  void end_poisoned(Call& call, std::span<const std::byte> body) noexcept;
  void try_alone(Call& call, std::span<const std::byte> body) noexcept;
  void on_tried_alone(link_event::TriedAlone& tried) noexcept;
  void fault(RingFault kind) noexcept;
  std::uint64_t take_replies(std::uint64_t max = replies_per_turn_max) noexcept;
  void on_reply(const Channel::Record& record) noexcept;
  [[nodiscard]] bool send(Call& call, std::span<const std::byte> body) noexcept;
  void flush_queue() noexcept;
  void end(Call& call, CallStatus status, std::string_view static_text) noexcept;
  void end_all(CallStatus status, std::string_view static_text) noexcept;
  void end_overdue() noexcept;
  void disarm_fd() noexcept;
  void look_at_pit(TimeNs now) noexcept;  // while a call waits
  void tell_placement() noexcept;         // where this thread runs
  [[nodiscard]] std::optional<Reply> refuse(std::span<const std::byte> body) noexcept;

  // Spins, then sleeps, until done() or the deadline.   Returns the last answer of done().
  template <class Done>
  bool wait_for(Done&& done, TimeNs deadline_ns, bool for_space) noexcept;

  std::shared_ptr<LinkControl> control_;
  std::shared_ptr<LinkMailbox> mailbox_;
  LinkOptions options_;
  std::shared_ptr<Attached> attached_;  // of the current epoch, or of the dead one until the next is there
  std::optional<Channel> channel_;
  CallTable calls_;
  SpinBudget spin_;
  std::uint32_t told_placement_ = 0;
  std::shared_ptr<LinkFd> fd_;          // from the first fd() on
  std::array<WaitWord, 2> fd_words_{};  // while it is armed
  std::size_t fd_armed_ = 0;            // how many; 0: it is not
  std::uint64_t taken_ = 0;             // endings
  bool had_mail_ = false;               // since the last wait_any()
  Phase phase_ = Phase::open;
  bool closing_ = false;
  control::Epoch closing_epoch_ = 0;
  std::uint64_t queued_ = 0;
  TimeNs overdue_checked_ns_ = 0;
  TimeNs next_look_ns_ = 0;         // at what the pit does; 0: none yet in this epoch
  std::uint64_t handled_then_ = 0;  // at the last one
  CallStatus end_status_ = status::closed;
  std::string end_text_;
  bool is_alone_ = false;
  std::unique_ptr<AloneRuns> alone_;  // from the first such call on
  LinkCounters counters_;             // wakes: of the epochs before
  SleepCounters sleep_;
};

}  // namespace symphony::detail
