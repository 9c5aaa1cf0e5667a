// One instance of a pit and everything that all modes share about running one: its copied table, the state machine, the
// host's functions, and the rule that each request has exactly one ending.   Layer: hosting (contract, bus/base).
// Invariants:
//   I1  the pit is entered once at a time, and only where the state machine allows it
//   I2  each handle() makes exactly one call of commit() or fail() on its ReplySink: after the pit has returned, or,
//       where the sink was deferred, at the pit's reply(), at forget()'s wish never, or at the latest when the instance
//       goes
//   I3  a step that fails is not taken: the state stays
//   I4  an instance that answered TRAPPED is never entered again
// Threads: one at a time; whoever runs the instance sees to it (Executor, or a process with one thread).
// Trust:   native pits run in this process and could do anything; the checks here are against mistakes.
#pragma once

#include <symphony/pit.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <symphony/clock.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pits/hosting/host.hpp"
#include "pits/hosting/services.hpp"
#include "pits/hosting/timers.hpp"

namespace symphony::pit {

inline constexpr std::size_t snapshot_size_max = std::size_t{1} << 30;
inline constexpr std::uint32_t snapshot_read_size_max = 65'536;

// Where a reply goes: a caller's buffer, or a ring.
class ReplySink {
 public:
  // Bytes that are there before anybody claims them, 8-byte aligned: a claim that fits into them is granted without a
  // call of claim(), and gives all of them. Empty where there are none.
  [[nodiscard]] std::span<std::byte> room() const noexcept { return room_; }
  // At least size_min bytes, 8-byte aligned, into out. A later claim replaces this one. False: there is no room.
  [[nodiscard]] virtual bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept = 0;
  // The first `used` bytes of the last claim are the reply; (0, 0), also without a claim, is an empty one.
  virtual void commit(std::uint32_t used, std::uint32_t type) noexcept = 0;
  // The request ends as an error; a claim is dropped. The text is lent, valid UTF-8 cut to 512 bytes is enough.
  virtual void fail(std::int32_t status, std::string_view text) noexcept = 0;
  // The pit ends `request` later: the sink that will take its ending, valid until its commit() or fail(), or
  // Instance::forget(request). Null: it cannot wait, for the reason that it has ended the request with.
  [[nodiscard]] virtual ReplySink* defer(std::uint64_t request) noexcept = 0;
  // Whether nobody waits for this request's ending any more. The deadline is the instance's to look at.
  [[nodiscard]] virtual bool abandoned() const noexcept { return false; }

 protected:
  ~ReplySink() = default;
  std::span<std::byte> room_;
};

// What the host told a pit during one entry and might tell it otherwise next time: fed to it again, the pit does the
// same again.
struct Heard {
  std::uint64_t now_ns = 0;                  // of now(); 0: it did not ask
  std::uint32_t waited_for = 0;              // how often cancelled() said no
  std::uint32_t claim_refused = UINT32_MAX;  // the smallest claim() for which there was no room
  friend bool operator==(const Heard&, const Heard&) = default;
};

// What an instance is beside the pit's own state.
struct InstanceMemory {
  std::uint64_t random = 0;  // the state of random()
  std::uint64_t last_request = 0;
  std::uint32_t calls = 0;                                 // without an answer
  TimeNs fed_ns = 0;                                       // 0: the real clock
  std::vector<std::pair<std::uint64_t, TimeNs>> timers{};  // id, due; in order of their ids
};

struct InstanceOptions {
  std::string_view config{};                // JSON text for create(); lent
  InstanceServices* services = nullptr;     // to outlive the instance; null: it can call nobody and publish nothing
  LogSink* log = nullptr;                   // null: lines are dropped
  std::uint64_t seed = 0;                   // of random(); 0: chosen, and told to the log
  std::span<const Extension> extensions{};  // lent for the instance's life
};

enum class State : std::uint8_t { created, inited, running, drained, stopped, trapped };
[[nodiscard]] std::string_view to_string(State state) noexcept;

class Instance {
 public:
  // Checks the entry, copies its table and calls create. On success `out` is CREATED.
  static Outcome make(const symphony_pit_entry& entry, const InstanceOptions& options, std::unique_ptr<Instance>& out);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance();  // destroys the pit's instance, in any state

  [[nodiscard]] const PitInfo& info() const noexcept { return info_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

  Outcome init();                            // [CREATED -> INITED]
  Outcome start();                           // [INITED, DRAINED -> RUNNING]
  Outcome drain(std::uint64_t deadline_ns);  // [RUNNING -> DRAINED]; 0: none
  Outcome stop();                            // [DRAINED -> STOPPED]

  // Runs one request to its one ending. A deadline that has passed ends it as DEADLINE without the pit.   [RUNNING]
  // A sink of a final class is told its reply without a look into its table.
  template <std::derived_from<ReplySink> Sink>
  void handle(const symphony_envelope& envelope, std::span<const std::byte> body, Sink& sink) noexcept;
  // Drops a deferred request whose caller has gone; its sink is not used any more. False: it has ended.   [any]
  bool forget(std::uint64_t request) noexcept { return pending_.erase(request) != 0; }
  // Gives the pit the one answer to a call of its own. `body` is the reply's, or the error text's.   [RUNNING]
  void answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type, std::span<const std::byte> body) noexcept;

  // Runs the earliest timer that is due. False: there is none.   [RUNNING]
  bool run_timer(TimeNs now_ns) noexcept;
  // When run_timer() has something to do; no_deadline_ns: not before it is armed or, where it rests, started.
  [[nodiscard]] TimeNs next_timer_ns() const noexcept {
    return state_ == State::running ? timers_.next_due_ns() : no_deadline_ns;
  }
  // From now on the pit's clock stands at `now_ns` until it is fed again, and random() begins anew with the seed: for
  // replay. Timers follow the fed clock.
  void feed(std::uint64_t seed, TimeNs now_ns) noexcept;
  [[nodiscard]] bool is_fed() const noexcept { return fed_ns_ != 0; }
  [[nodiscard]] TimeNs clock_ns() const noexcept { return is_fed() ? fed_ns_ : symphony::now_ns(); }

  [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }
  [[nodiscard]] std::uint32_t calls() const noexcept { return calls_; }  // without an answer yet
  // Ok where nothing is under way that another instance could not go on with; else OVERLOADED, and what it is.
  [[nodiscard]] Outcome under_way() const;
  // Rises with what may have changed the state: messages and timers, or what the pit marked once it marks at all.
  [[nodiscard]] std::uint64_t changes() const noexcept { return marks_ != 0 ? marks_ : entries_; }

  // How often the pit was entered by a message or a timer.
  [[nodiscard]] std::uint64_t entries() const noexcept { return entries_; }

  // The timer that run_timer() would run now.
  [[nodiscard]] std::optional<std::uint64_t> due_timer(TimeNs now_ns) const noexcept { return timers_.due(now_ns); }

  // For a host that keeps what happens and lets it happen again to another instance, with the same outcome.
  [[nodiscard]] const Heard& heard() const noexcept { return heard_; }  // in the entry that is under way, or the last
  // The pit is told this in the next entries, and no deadline has passed, until it is told otherwise; null: live again.
  void replay(const Heard* heard) noexcept { replayed_ = heard; }
  // Runs this timer as if it were due.   [RUNNING]
  void replay_timer(std::uint64_t id, TimeNs now_ns) noexcept;
  [[nodiscard]] InstanceMemory memory() const;
  // In the place of its own. `pending`: the requests without an ending, by number, and where that goes.   [RUNNING]
  void set_memory(const InstanceMemory& memory, std::unordered_map<std::uint64_t, ReplySink*> pending);

  Outcome snapshot(Snapshot& out);  // [RUNNING, DRAINED]
  // The pit gets the bytes in pieces of at most read_size_max.   [INITED]
  Outcome restore(const Snapshot& from, std::uint32_t read_size_max = snapshot_read_size_max);

 private:
  enum class Step : std::uint8_t { init, start, handle, drain, snapshot, restore, stop, timer };
  struct Rule;
  class Entered;

  explicit Instance(const InstanceOptions& options);
  static const Rule& rule(Step step) noexcept;
  [[nodiscard]] bool allowed(Step step) const noexcept;
  Outcome refuse(Step step);
  template <class Call>
  Outcome take(Step step, State next, Call&& call);
  Outcome outcome_of(std::int32_t status, std::string_view what);
  [[nodiscard]] bool may_handle(const symphony_envelope& envelope, std::span<const std::byte>& body,
                                ReplySink& sink) noexcept;
  void end_request(std::int32_t status, std::uint64_t request, ReplySink& sink) noexcept;
  void defer(std::uint64_t request, ReplySink& sink) noexcept;
  void end_pending(std::int32_t status, std::string_view text) noexcept;
  bool note_trap(std::int32_t status) noexcept;
  void enter_timer(std::uint64_t id, TimeNs now_ns) noexcept;
  void tell_due() noexcept;
  void write_log(std::int32_t level, std::string_view line) noexcept;
  void blame_pit(std::string_view what) noexcept;
  std::int32_t blame_claim(symphony_mut_span* out) noexcept;
  std::int32_t claim_from_sink(std::uint32_t size_min, symphony_mut_span* out) noexcept;
  std::int32_t grant(std::span<std::byte> claimed, symphony_mut_span* out) noexcept;
  [[nodiscard]] std::string_view reason() const noexcept { return {reason_.data(), reason_size_}; }
  [[nodiscard]] static bool is_aligned(std::span<const std::byte> body) noexcept {
    return body.empty() || (reinterpret_cast<std::uintptr_t>(body.data()) & 7U) == 0;
  }
  std::span<const std::byte> aligned(std::span<const std::byte> body) {
    return is_aligned(body) ? body : aligned_copy(body);
  }
  std::span<const std::byte> aligned_copy(std::span<const std::byte> body);

  // The host's functions, as the pit calls them.
  static void on_log(void* context, std::int32_t level, symphony_span text) noexcept;
  static std::uint64_t on_now(void* context) noexcept;
  static std::int32_t on_claim(void* context, std::uint32_t size_min, symphony_mut_span* out) noexcept;
  static std::int32_t on_commit(void* context, std::uint32_t used, std::uint32_t type) noexcept;
  static void on_error(void* context, symphony_span text) noexcept;
  static std::uint64_t on_random(void* context) noexcept;
  static const void* on_get_extension(void* context, std::uint64_t id) noexcept;
  static std::int32_t on_publish(void* context, std::uint32_t type, symphony_span body) noexcept;
  static std::int32_t on_call_async(void* context, const symphony_call* call) noexcept;
  static std::int32_t on_timer_set(void* context, std::uint64_t id, std::uint64_t at_ns) noexcept;
  static std::int32_t on_timer_cancel(void* context, std::uint64_t id) noexcept;
  static std::int32_t on_cancelled(void* context) noexcept;
  static void on_mark_dirty(void* context) noexcept;
  static std::int32_t on_reply(void* context, std::uint64_t request, std::int32_t status, std::uint32_t type,
                               symphony_span body) noexcept;

  symphony_pit_entry table_{};
  symphony_host host_{};
  PitInfo info_;
  void* self_ = nullptr;
  LogSink* log_;
  std::span<const Extension> extensions_;
  std::uint64_t seed_;
  std::uint64_t random_state_;
  InstanceServices* services_;
  Timers timers_;
  std::unordered_map<std::uint64_t, ReplySink*> pending_;  // deferred, by request number
  std::uint64_t last_request_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t marks_ = 0;
  TimeNs fed_ns_ = 0;        // 0: the real clock
  std::uint32_t calls_ = 0;  // that the pit made and that have no answer
  State state_ = State::created;
  bool entered_ = false;

  // Of the call that is inside the pit.
  ReplySink* sink_ = nullptr;                                      // in handle only
  symphony_msg message_{sizeof(symphony_msg), 0, nullptr, {}, 0};  // the request, in handle only
  Heard heard_;
  const Heard* replayed_ = nullptr;
  std::span<std::byte> claimed_;
  std::uint32_t used_ = 0;
  std::uint32_t type_ = 0;
  bool has_claim_ = false;
  bool committed_ = false;
  std::size_t reason_size_ = 0;
  std::array<char, error_text_max> reason_{};
  std::vector<std::uint64_t> aligned_body_;  // for callers whose body is not 8-byte aligned
};

// The time inside the pit: fresh reason, time and reply; nobody else gets in.
class Instance::Entered {
 public:
  explicit Entered(Instance& instance) noexcept : instance_(instance) {
    instance.entered_ = true;
    instance.reason_size_ = 0;
    instance.heard_ = {};
  }
  ~Entered() { instance_.entered_ = false; }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Instance& instance_;
};

// Here, so that it becomes part of its caller: it is on the way of every call (docs/decisions/0040-a-short-way-in.md).
template <std::derived_from<ReplySink> Sink>
[[gnu::always_inline]] inline void Instance::handle(const symphony_envelope& envelope, std::span<const std::byte> body,
                                                    Sink& sink) noexcept {
  const bool is_plain = !entered_ && state_ == State::running && envelope.deadline_ns == 0 &&
                        body.size() <= UINT32_MAX && is_aligned(body);
  if (!is_plain && !may_handle(envelope, body, sink)) return;
  ++entries_;
  message_.envelope = &envelope;
  message_.body.p = reinterpret_cast<const std::uint8_t*>(body.data());
  message_.body.n = static_cast<std::uint32_t>(body.size());
  const std::uint64_t request = ++last_request_;
  message_.request = request;
  std::int32_t status = SYMPHONY_OK;
  {
    const Entered inside(*this);
    sink_ = &sink;
    has_claim_ = committed_ = false;
    status = table_.handle(self_, &message_);
    sink_ = nullptr;
  }
  if (status == SYMPHONY_OK && committed_) [[likely]]
    return sink.commit(used_, type_);
  end_request(status, request, sink);
}

}  // namespace symphony::pit
