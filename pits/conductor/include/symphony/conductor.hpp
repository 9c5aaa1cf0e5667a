// Mounts pits in any mode and hands out callers, so that a program does not know where its pits run.   Layer:
// conductor.
//
//   symphony::Conductor conductor(&endpoint);                                     // an Endpoint only for process pits
//   conductor.mount("pool", {.mode = symphony::Mode::process});
//   symphony::Caller pool = conductor.open("pool");
//   symphony::Reply reply = pool.call(type, body);
//
// Pits that are mounted in this process may call each other, and process pits that are mounted here, by the names they
// are mounted under. A process pit calls others of its broker alone, by the broker's names. Their timers and calls run
// on one thread of the conductor's own. A pit that runs can be swapped for another instance, version or mode: its state
// and its callers go along. Threads: a Conductor may be used by any thread. A Caller belongs to one thread at a time:
// open one for each, or a SharedCaller for all.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/durability.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/reply.hpp>
#include <symphony/swap.hpp>

namespace symphony {

class Operator;

namespace pit {
class Host;
class SharedLink;
class ServiceThread;
class StateKeeper;
struct PitInfo;
}  // namespace pit
namespace conductor {
class Mounts;
class Way;
}  // namespace conductor

// How a pit is hosted.
enum class Mode : std::uint8_t {
  static_,  // linked into this program, run on its callers' threads
  dynamic,  // loaded from a file into this program, run on its callers' threads
  wasm,     // compiled by way of WebAssembly, loaded into this program and contained there, run on its callers' threads
  process,  // a process of its own, started by the broker, behind shared-memory rings
};
[[nodiscard]] std::string_view to_string(Mode mode) noexcept;

// How a step ended: ok, or a status and a line for a person.
struct [[nodiscard]] StepResult {
  CallStatus status = status::ok;
  std::string text{};
  [[nodiscard]] bool ok() const noexcept { return status == status::ok; }
};

struct MountOptions {
  Mode mode = Mode::static_;
  const symphony_pit_entry* entry = nullptr;  // static_: the linked-in pit (SYMPHONY_DECLARE_PIT)
  std::string file{};                         // dynamic: the path of the pit's .so; wasm: of its _wasm.so
  std::string config{};                       // JSON for the pit; a process pit has its broker's
  // Of each call into the pit; 0: none. wasm: longer ones trap. static_, dynamic: nothing can end them; they are
  // noticed (health()), or end this program where abort_on_overrun says so, with the pit's stack on stderr. A process
  // pit has its broker's.
  std::uint32_t budget_ms = 0;
  bool abort_on_overrun = false;
  std::uint32_t checkpoint_after =
      0;  // wasm: changes of the state after which it is kept for the next instance; 0: none
  // What of the state outlives its instance. static_, dynamic: over the death of this program, and so only with a
  // folder, where the pit's file is `<name>.state`; wasm: over a trap as well, and for that alone without a folder. One
  // program at a time. A process pit has its broker's (PitConfig::state).
  StatePolicy state{};
  std::uint32_t window_size = 0;  // wasm: of input_window(), in bytes; 0: none, every message is copied
  std::string broker_name{};      // process: the broker's name for it; empty: that under which it is mounted
  LinkOptions link{};             // process: of the links that open() makes
  TimeNs timeout_ns = default_call_timeout_ns;  // process: how long to wait for a pit that is not ready
  std::uint32_t threads_max = 64;  // process: threads of one share() with a link of their own; others share one
  std::uint32_t instances = 0;     // process: how many the broker must have of the pit; 0: as many as it has
};

// What mode dynamic has loaded into this process. Nothing is ever unloaded: each costs its memory and one descriptor,
// and a retired one is used by no mounted pit and no caller any more.
struct LoadedPits {
  std::uint32_t loaded = 0;
  std::uint32_t retired = 0;
};
[[nodiscard]] LoadedPits loaded_pits() noexcept;

struct PitTimer {
  std::uint64_t id = 0;
  TimeNs remaining_ns = 0;  // below 0: overdue
  friend bool operator==(const PitTimer&, const PitTimer&) = default;
};

// What moves a pit's state to another instance or mode: its own bytes, and its armed timers in order of their ids.
struct PitState {
  std::uint32_t revision = 0;
  std::vector<std::byte> bytes{};
  std::vector<PitTimer> timers{};
};

// How a static or dynamic pit keeps to its budget (MountOptions::budget_ms), which nothing can make it do.
struct PitHealth {
  bool degraded = false;       // it runs longer than that now; callers wait
  std::uint32_t type = 0;      // of the message that it runs then; 0: a timer or an answer
  TimeNs running_ns = 0;       // for how long
  std::uint64_t overruns = 0;  // how often that was so since it was mounted
  // Of the last time, the innermost frame first: `object+0xOFFSET`, for addr2line, and the function where it is known.
  // Its thread was interrupted for that by the signal SIGRTMAX-1.
  std::vector<std::string> stack{};
};

// One thread's way to a pit. A Caller that could not be opened answers each call with the reason.
class Caller {
 public:
  Caller() noexcept;
  Caller(Caller&&) noexcept;
  Caller& operator=(Caller&&) noexcept;
  ~Caller();

  [[nodiscard]] bool ok() const noexcept { return way_ != nullptr; }
  [[nodiscard]] const StepResult& why() const noexcept { return why_; }

  // Blocks until the call's one ending. Body and text of the reply stay valid until the next call.   [data-thread]
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options = {}) noexcept;

  // The same; calls with equal keys reach the same instance of a pit that has several, all others the first. Where a
  // pit has one, in any mode, the key says nothing. An empty key is none.   [data-thread]
  Reply call_for(std::string_view key, std::uint32_t type, std::span<const std::byte> body,
                 const CallOptions& options = {}) noexcept;

  // `calls == ended` between two calls says that none hangs; `dropped` endings came for calls that had ended already.
  struct Tally {
    std::uint64_t calls = 0;
    std::uint64_t ended = 0;
    std::uint64_t dropped = 0;
  };
  [[nodiscard]] Tally tally() const noexcept;

 private:
  friend class Conductor;
  std::unique_ptr<conductor::Way> way_;
  StepResult why_;
};

// The way of many threads to a pit. Copies are the same one. In this process a calling thread takes the pit's executor;
// to a process pit each thread gets a link of its own, opened at its first call, which then takes some milliseconds
// more, and closed when the thread ends. Threads: any; nobody calls while the last copy goes.
class SharedCaller {
 public:
  SharedCaller() noexcept = default;

  [[nodiscard]] bool ok() const noexcept { return link_ != nullptr; }
  [[nodiscard]] const StepResult& why() const noexcept { return why_; }

  // Blocks until the call's one ending, with no lock held. Body and text of the reply stay valid until the same
  // thread's next call here, or its end. bad_state besides: from inside the same thread's own call of this pit.
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options = {}) const noexcept;
  Reply call_for(std::string_view key, std::uint32_t type, std::span<const std::byte> body,
                 const CallOptions& options = {}) const noexcept;  // as Caller::call_for

 private:
  friend class Conductor;
  std::shared_ptr<pit::SharedLink> link_;
  StepResult why_;
};

class Conductor {
 public:
  // `endpoint`: for process pits; outlives the conductor and its callers. `broker`: of the same broker, to start and
  // end the processes of swaps; outlives the conductor, which uses it from one thread at a time.
  explicit Conductor(Endpoint* endpoint = nullptr, Operator* broker = nullptr);
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;
  ~Conductor();

  // Under that name from now on. A static or dynamic pit is made and started; a process pit is found at the broker.
  // bad_state: the name is taken, or the mode lacks its entry, file or endpoint. unreachable: the pit needs another one
  // that is not mounted, or, of a process, that its broker does not have; or the file cannot be read, or the folder of
  // its state cannot be used. Else what the file, the pit or the broker said. With `state`: the pit goes on from what
  // an earlier program left there; bad_state: that is damaged or another program keeps it, and nothing of it was
  // changed.
  StepResult mount(std::string_view name, const MountOptions& options);
  // Callers that are open stay usable; a swap that is under way ends as it would.
  StepResult unmount(std::string_view name);

  [[nodiscard]] Caller open(std::string_view name);
  // For many threads; as open() otherwise.
  [[nodiscard]] SharedCaller share(std::string_view name);
  // Both wait for a cut that is under way. restore() and feed() are bad_state while a new instance is on probation.
  // Of a pit with several instances bad_state: each has its own, to be had under its own name (instance_name()).
  StepResult snapshot(std::string_view name, PitState& out);
  StepResult restore(std::string_view name, const PitState& from);
  // Waits for nobody, not for the pit's code either. Nothing to tell of a pit without a budget, or that can be ended.
  StepResult health(std::string_view name, PitHealth& out) const;
  // Where callers can place the bodies of requests so that a wasm pit reads them there, whatever their size
  // (MountOptions::window_size); empty for every other pit, and for one that is not mounted. All callers share it, and
  // the pit can read all of it. Lifetime: while it is mounted or has a caller that is open.
  [[nodiscard]] std::span<std::byte> input_window(std::string_view name) const noexcept;

  // Puts another instance in the place of the one that runs under that name, as mount() would make it: another version
  // of the pit, another mode, or both. Its state and timers go along; callers that are open follow by themselves. They
  // wait while the state crosses (SwapReport::pause_ns), and their deadlines hold meanwhile; no call is lost or run
  // twice. Blocks until the new instance has stood its probation and the old one is gone, or until the old one goes on:
  //   bad_state     another swap of that name is under way; or as mount()
  //   bad_message   the target is another pit, or did not take the state
  //   version       it does not restore the revision that runs, or the pit keeps no snapshots
  //   overloaded    busy: a handler, requests that wait for the pit's reply, or calls of its own did not end within the
  //                 budget
  //   crashed, cancelled   it died on probation; the program did not accept it
  // or what the failing step said. A target that is a process has another name at the broker than a source that is one:
  // MountOptions::broker_name. The conductor starts and ends such processes through `broker` (see the constructor);
  // without one they run already, and the old one stays, with a pit that is stopped. What reaches a process pit without
  // this conductor, as other programs do and pits that call it, does not follow: it is told bad_state from the cut on.
  // The new instance is created, initialised and started with the state of a new pit, then drained, before it gets the
  // state. What was published or called outside by an instance that is given up stays done.   [any thread]
  SwapReport swap(std::string_view name, const MountOptions& target, const SwapOptions& options = {});

  // For replay: from now on the pit's clock stands at `now_ns`, above 0, until it is fed again, and its random() begins
  // anew with the seed, not 0. What is due by then has run when this returns.
  StepResult feed(std::string_view name, std::uint64_t seed, TimeNs now_ns);

 private:
  StepResult make_target(std::string_view name, const MountOptions& target, std::shared_ptr<pit::Host>& out);
  StepResult end_process(const std::string& broker_name);
  StepResult make_host(std::string_view name, const MountOptions& options, std::shared_ptr<pit::Host>& out);
  StepResult make_static(const MountOptions& options, std::shared_ptr<pit::StateKeeper> keeper,
                         std::shared_ptr<pit::Host>& out);
  StepResult make_dynamic(const MountOptions& options, std::shared_ptr<pit::StateKeeper> keeper,
                          std::shared_ptr<pit::Host>& out);
  StepResult make_wasm(const MountOptions& options, std::shared_ptr<pit::StateKeeper> keeper,
                       std::shared_ptr<pit::Host>& out);
  StepResult make_process(std::string_view name, const MountOptions& options, std::shared_ptr<pit::Host>& out);
  StepResult check_needs(const pit::PitInfo& info);
  StepResult check_needs_of_process(const pit::PitInfo& info, TimeNs timeout_ns);

  Endpoint* endpoint_;
  std::mutex broker_mutex_;
  Operator* broker_;
  std::shared_ptr<conductor::Mounts> mounts_;
  std::shared_ptr<pit::ServiceThread> services_;  // of the pits in this process
};

}  // namespace symphony
