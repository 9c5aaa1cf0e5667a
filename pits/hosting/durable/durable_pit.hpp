// An instance whose state outlives its process: what enters it is kept, and enters the next instance again.   Layer:
// hosting/durable (contract, bus/base, bus/state). Rules J1 and J2 of the link protocol.
//
// Invariants:
//   J1  what an event made (a reply, an ending of an earlier request, a call of the pit's own) leaves only when the
//       event's record is committed: that one store decides whether it happened
//   J2  replaying the records since a snapshot into an instance restored from it gives the state of the dead one: the
//       pit is told again what it was told (Heard), and random() goes on from where it was
//   J3  an ending that was made is on its link, or owed; what is owed is in the snapshot, or follows from the journal.
//       Of the last event nobody knows what left, so all of it is owed: who has it already drops it by its id
// Threads: one at a time, as the instance.   Trust: as the instance; what the dead one left is checked, then believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <symphony/durability.hpp>

#include "bus/ring/mem.hpp"
#include "bus/state/boot.hpp"
#include "bus/state/state_memory.hpp"
#include "bus/state/state_reader.hpp"
#include "bus/state/state_writer.hpp"
#include "pits/hosting/durable/journal_event.hpp"
#include "pits/hosting/durable/state_frame.hpp"
#include "pits/hosting/instance.hpp"

namespace symphony::pit {

// Where the reply to the request being handled goes; leave(): the pit ends it later, by way of DurableOwner::deliver.
class DirectSink : public ReplySink {
 public:
  virtual void leave() noexcept = 0;
  ReplySink* defer(std::uint64_t) noexcept final { return nullptr; }  // DurablePit keeps those itself

 protected:
  ~DirectSink() = default;
};

// What the pit's process does for it. Never called while the pit is entered.
class DurableOwner {
 public:
  enum class Delivered : std::uint8_t {
    written,  // it is on its link
    queued,   // it will be: then DurablePit::on_delivered() is called
    absent,   // the link is not attached now
  };
  virtual Delivered deliver(const Owed& ending) noexcept = 0;
  // Makes a call of the pit's own; one answer() follows, also where it could not be made.
  virtual void post(const OwnCall& call) noexcept = 0;
  // Whether an instance that trapped is followed by one made from memory(): then the event that it trapped in never
  // was.
  [[nodiscard]] virtual bool undoes_traps() const noexcept { return false; }
  // Whether somebody hears what the pit publishes; tell() tells him, after the event was kept.
  [[nodiscard]] virtual bool is_heard() const noexcept { return false; }
  virtual void tell(std::uint32_t, std::span<const std::byte>) noexcept {}

 protected:
  ~DurableOwner() = default;
};

using detail::boot_of_this_machine;

class DurablePit final : private InstanceServices {
 public:
  // Makes an instance up to INITED, with these services.
  using Make = std::function<Outcome(InstanceServices* services, std::unique_ptr<Instance>& out)>;

  // Into `out` an instance that is RUNNING, or DRAINED where its predecessor was: restored from `old` and the journal
  // there, anew where nothing is there. When this returns, `own` holds a first snapshot, and `old` is not needed again.
  // Statuses: VERSION the pit keeps no snapshots, or not this revision; BAD_STATE what is in `old` is damaged or of
  // another pit; OVERLOADED the snapshot does not fit; the pit's own.
  static Outcome make(Make make_instance, DurableOwner& owner, const StatePolicy& policy, detail::StateMemory own,
                      const detail::StateMemory* old, LogSink* log, std::unique_ptr<DurablePit>& out);
  DurablePit(const DurablePit&) = delete;
  DurablePit& operator=(const DurablePit&) = delete;
  ~DurablePit();

  // Once the owner can deliver and post: makes the calls again that have no answer and may be made twice; those that
  // may not are answered as CRASHED. Of the calls with these cookies, sorted, an answer is still to come.
  void resume(std::span<const std::uint64_t> still_out = {});

  [[nodiscard]] Instance& instance() noexcept { return *instance_; }
  [[nodiscard]] std::uint64_t last_id(std::uint64_t link) const noexcept;  // A of protocol rule D4
  // Whether the pit has accepted this request and not ended it yet.
  [[nodiscard]] bool waits(std::uint64_t link, std::uint64_t id) const noexcept;
  // What an instance that follows this one begins with.
  [[nodiscard]] const detail::StateMemory& memory() const noexcept { return memory_; }

  // As those of the instance, kept. handle(): OVERLOADED where neither journal nor snapshot has room for it.
  void handle(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
              DirectSink& sink) noexcept;
  [[nodiscard]] bool run_timer(TimeNs now_ns) noexcept;
  // False: there is no room to keep it; the caller keeps it, and tries again.
  [[nodiscard]] bool answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                            std::span<const std::byte> body) noexcept;
  Outcome drain(std::uint64_t deadline_ns);
  Outcome start();
  Outcome stop();
  Outcome feed(std::uint64_t seed, TimeNs now_ns);
  // The state of `from` in the place of the pit's own; on failure nothing has changed.
  Outcome restore(const Snapshot& from);

  // A link was attached: it is paid what is owed to it, before anything is taken from it.
  void attached(std::uint64_t link) noexcept;
  // The same of every link.
  void all_attached() noexcept;
  // A link is over for good: it is owed nothing any more.
  void gone(std::uint64_t link) noexcept;
  // No link of an earlier process is there any more. Not noted: whoever goes on from here says it again.
  void all_gone() noexcept;
  void on_delivered(std::uint64_t link, std::uint64_t id) noexcept;

  // When there is something to do without a message: a timer, a snapshot, or another try of what found no room.
  [[nodiscard]] TimeNs next_due_ns() const noexcept;
  // Before then nothing is kept that found no room, so it is not worth a try.
  [[nodiscard]] TimeNs retry_ns() const noexcept { return retry_ns_; }
  void run_snapshot_if_due(TimeNs now_ns) noexcept;
  // Keeps the state now.
  Outcome keep() noexcept;
  // Whether a call of the pit's own that may run once has no answer: the next instance would have to take it for lost.
  [[nodiscard]] bool waits_for_once() const noexcept;

  [[nodiscard]] std::uint64_t replayed() const noexcept { return replayed_; }  // records, when it started

 private:
  class Direct;   // the sink of the request being handled
  class Waiting;  // the sink of one that was left for later
  DurablePit(Make make_instance, DurableOwner& owner, const StatePolicy& policy, detail::StateMemory own, LogSink* log);

  std::int32_t call_async(const AsyncCall& call) noexcept override;
  std::int32_t publish(std::uint32_t type, std::span<const std::byte> body) noexcept override;
  void tell_published() noexcept;
  void timer_due(TimeNs) noexcept override {}  // asked for before each wait

  // One event: begin, the pit is entered, commit, finish. False: no room to keep it.
  [[nodiscard]] bool begin(const EventHead& head, std::span<const std::byte> body) noexcept;
  // False: it may be lost, so nothing that it made may leave.
  [[nodiscard]] bool commit() noexcept;
  void finish() noexcept;
  // The event that is under way, or was the last, never was.
  [[nodiscard]] bool is_undone() const noexcept {
    return instance_->state() == State::trapped && owner_.undoes_traps();
  }
  [[nodiscard]] bool make_room(std::uint64_t size) noexcept;
  void append(const EventHead& head, std::span<const std::byte> body) noexcept;
  void note(EventKind kind, std::uint64_t link, std::uint64_t id) noexcept;  // owed, paid, gone
  template <class Step>
  Outcome step(EventKind kind, std::uint64_t deadline_ns, Step&& take);

  ReplySink* leave(std::uint64_t request, std::uint64_t link, std::uint64_t id, DirectSink* direct) noexcept;
  void settle(Owed ending) noexcept;
  void forget(std::uint64_t link) noexcept;
  bool take_call(std::uint64_t cookie) noexcept;            // the first of this cookie that has no answer
  Outcome write();                                          // a snapshot
  bool later() noexcept;                                    // false
  [[nodiscard]] std::string_view why_not() const noexcept;  // begin() said no
  bool sync() noexcept;
  // durable_replay.cpp
  Outcome begin_with(const detail::StateMemory* old);
  Outcome adopt(const StateFrame& frame);
  void keep_time(const StateFrame& frame);
  Outcome replay(detail::StateReader<detail::RealMem>& reader);
  void apply(const Event& event);
  [[nodiscard]] bool keeps_journal() const noexcept { return policy_.durability == Durability::journal; }
  void log(std::int32_t level, const std::string& line) noexcept;

  const Make make_instance_;
  DurableOwner& owner_;
  const StatePolicy policy_;
  LogSink* const log_;
  detail::StateMemory memory_;
  detail::StateWriter<detail::RealMem> writer_;

  std::map<std::uint64_t, std::uint64_t> last_ids_;            // by link, of those that are not gone
  std::map<std::uint64_t, std::unique_ptr<Waiting>> waiting_;  // by request
  std::vector<Owed> owed_;                                     // not on their links yet, in order
  struct Outstanding {
    OwnCall call;
    bool is_posted = false;
  };
  std::vector<Outstanding> calls_;                                           // without an answer
  std::vector<Owed> made_;                                                   // by the event that is under way
  std::vector<std::unique_ptr<Waiting>> spent_;                              // sinks that have ended, in that event
  std::vector<std::pair<std::uint32_t, std::vector<std::byte>>> published_;  // likewise: type and body
  EventHead head_;
  std::span<const std::byte> body_;
  bool replaying_ = false;
  std::string broken_;   // why nothing can be kept any more; empty: it can
  TimeNs retry_ns_ = 0;  // nothing is tried before then: the last one found no room
  std::uint64_t replayed_ = 0;
  TimeNs heard_ns_ = 0;       // the latest clock that the journal speaks of
  std::uint64_t unkept_ = 0;  // events since the last snapshot
  TimeNs unkept_since_ns_ = 0;
  // Last: it ends its requests in the sinks above when it goes.
  std::unique_ptr<Instance> instance_;
};

}  // namespace symphony::pit
