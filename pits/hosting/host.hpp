// The one interface behind which every mode hosts a pit: Host to run it, Link to call it.   Layer: hosting.
// A program that was written against these two does not know, and need not, where the pit runs.
#pragma once

#include <symphony/pit.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>
#include <vector>

#include "pits/hosting/error_body.hpp"
#include "pits/hosting/pit_info.hpp"

namespace symphony::pit {

struct Request {
  std::uint32_t type = 0;
  std::uint32_t effect = SYMPHONY_EFFECT_ONCE;  // matters where a pit can die without its host: process mode
  std::span<const std::byte> body{};            // lent until call() returns; best 8-byte aligned, else it is copied
  TimeNs deadline_ns = no_deadline_ns;          // a point on the clock, not a duration
  std::uint64_t key = 0;  // key_of(); equal ones reach the same instance of a pit that has several
};

// How a call ended. Exactly one of body (status 0) and text (any other) says more; both stay valid until the next call
// on the same link.
struct Reply {
  std::int32_t status = SYMPHONY_INTERNAL;
  std::uint32_t type = 0;  // of the body; 0 for an empty one
  std::span<const std::byte> body;
  std::string_view text;
  [[nodiscard]] bool ok() const noexcept { return status == SYMPHONY_OK; }
};

// What became of a link's calls: `calls == ended` says that none hangs, `dropped` counts endings of calls that had
// ended.
struct Tally {
  std::uint64_t calls = 0;
  std::uint64_t ended = 0;
  std::uint64_t dropped = 0;
};

// What makes a call and waits for its ending. Threads: one at a time. It keeps what it needs of the host alive.
class Caller {
 public:
  Caller() = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  virtual ~Caller() = default;
  // Ends exactly once, by the pit or by whoever ends it in the pit's place. May block until the deadline, or, in the
  // modes that run a pit in this process, until a handler that began before the deadline returns.
  virtual Reply call(const Request& request) noexcept = 0;
  // Another number than before: another instance served the last call than the ones before it. 0: it cannot say.
  [[nodiscard]] virtual std::uint64_t incarnation() const noexcept { return 0; }
};

// One caller's way to a pit. Threads: one at a time; make a link for each thread.
class Link : public Caller {
 public:
  // The same without waiting for the ending: many calls of one thread at once, named by tags of its own choice. In the
  // modes that run a pit in this process the handler runs in here; only an answer that the pit gives later is awaited.
  // False: no room now, try after the next try_take().
  [[nodiscard]] virtual bool try_start(const Request& request, std::uint64_t tag) noexcept = 0;
  // One that has ended, each once; the reply stays valid until the next call on this link.
  [[nodiscard]] virtual bool try_take(std::uint64_t& tag, Reply& reply) noexcept = 0;
  struct Wait {
    int fd = -1;  // becomes readable when something may have ended; -1: there is no such descriptor
    TimeNs until_ns = no_deadline_ns;  // when to look again in any case
  };
  // Before waiting for started calls. Ends with the next call of any other function here.
  [[nodiscard]] virtual Wait prepare_wait() noexcept = 0;
  // An eventfd that is written to as well when a started call has ended.
  virtual void wake_with(std::shared_ptr<const UniqueFd> wake) noexcept = 0;
  // No call will get anywhere on it any more, and no ending is left to take: another may be opened.
  [[nodiscard]] virtual bool is_over() noexcept { return false; }

  [[nodiscard]] virtual Tally tally() const noexcept = 0;
};

// A way to a pit for many threads at once. Threads: any; nobody calls while it is destroyed. The reply stays valid
// until the same thread's next call on it, or until that thread's end.
class SharedLink {
 public:
  SharedLink() = default;
  SharedLink(const SharedLink&) = delete;
  SharedLink& operator=(const SharedLink&) = delete;
  virtual ~SharedLink() = default;
  virtual Reply call(const Request& request) noexcept = 0;  // ends exactly once, as Caller::call
};

struct ArmedTimer {
  std::uint64_t id = 0;
  TimeNs remaining_ns = 0;  // below 0: it is overdue
  friend bool operator==(const ArmedTimer&, const ArmedTimer&) = default;
};

// What moves an instance's state to another one: the pit's own bytes, and the timers that were armed.
struct Snapshot {
  std::uint32_t revision = 0;
  std::vector<std::byte> bytes{};
  std::vector<ArmedTimer> timers{};  // in order of their ids
};

// How a pit's code keeps to its time, in modes that cannot end it.
struct Health {
  bool degraded = false;           // it runs longer than its budget now: who calls it waits
  std::uint32_t type = 0;          // of the message that it runs then; 0: a timer or an answer
  TimeNs running_ns = 0;           // for how long
  std::uint64_t overruns = 0;      // how often that was so
  std::vector<std::string> stack;  // of the last time, innermost first; see thread_stack.hpp
};

// A mounted pit. Threads: any; each function may wait for the call that is being handled.
class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;

  [[nodiscard]] virtual std::string_view mode() const noexcept = 0;  // "static", "process", ...
  [[nodiscard]] virtual const PitInfo& info() const noexcept = 0;

  // A new link into `out`.
  virtual Outcome open(std::unique_ptr<Link>& out) = 0;
  // One for all threads into `out`.
  virtual Outcome share(std::unique_ptr<SharedLink>& out) = 0;

  // Memory in which callers can place the bodies of requests so that the pit reads them there, without a copy; the same
  // for all links. Empty where the mode has none, or copies nothing anyway. Lifetime: the host's and its links'.
  [[nodiscard]] virtual std::span<std::byte> input_window() const noexcept { return {}; }

  // The state between two messages.   [RUNNING, DRAINED]
  virtual Outcome snapshot(Snapshot& out) = 0;
  // Replaces the state by that of a snapshot, by way of a new instance: on failure the old one goes on.   [RUNNING]
  virtual Outcome restore(const Snapshot& from) = 0;

  virtual Outcome drain(TimeNs deadline_ns) = 0;  // [RUNNING -> DRAINED]
  virtual Outcome start() = 0;                    // [DRAINED -> RUNNING]
  virtual Outcome stop() = 0;                     // [DRAINED -> STOPPED]

  // For a swap. As drain(), where nothing is under way: OVERLOADED while requests wait for the pit's reply or calls of
  // its own for an answer, and DEADLINE when its handler does not return by then; it goes on in both cases, except that
  // after a DEADLINE a pit in another process may have come to rest all the same.   [RUNNING -> DRAINED]
  virtual Outcome rest(TimeNs deadline_ns) = 0;
  // As restore(), of one that rests too: it runs from then on. DEADLINE as rest().   [DRAINED, RUNNING -> RUNNING]
  virtual Outcome resume(const Snapshot& from, TimeNs deadline_ns) = 0;
  // Stops the pit and lets its instance go, although links are open: their calls are refused.   [RUNNING, DRAINED ->
  // STOPPED]
  virtual Outcome retire() = 0;
  // Another number than before: another instance is there, because the one before trapped or died. 0: it cannot say
  // now. A pit in another process is asked for a sign of life.
  [[nodiscard]] virtual std::uint64_t incarnation() = 0;

  // For replay: from now on the pit's clock stands at `now_ns`, above 0, until it is fed again, and its random() begins
  // anew with the seed, not 0. Timers that are due by then run before this returns.   [RUNNING]
  virtual Outcome feed(std::uint64_t seed, TimeNs now_ns) = 0;

  // Waits for nobody. What there is a budget for; nothing of a pit that its mode can end.
  [[nodiscard]] virtual Health health() const { return {}; }
};

// Hears what a pit publishes. Called on the thread that runs the pit, which lends the bytes; must not call the pit.
class EventSink {
 public:
  virtual void on_event(std::uint32_t type, std::span<const std::byte> body) noexcept = 0;

 protected:
  ~EventSink() = default;
};

// Takes a pit's log lines. Called on the thread that runs the pit and, of code that overran its budget, on another one
// meanwhile; must not call the pit.
class LogSink {
 public:
  virtual void write(std::int32_t level, std::string_view pit, std::string_view line) noexcept = 0;

 protected:
  ~LogSink() = default;
};

// A named table of functions that a host offers beyond the contract's own. Lifetime: as long as the instance.
struct Extension {
  std::uint64_t id = 0;
  const void* table = nullptr;
};

}  // namespace symphony::pit
