// What an in-process host and its links share: one instance behind its executor, and the next one after a trap.
// Layer: hosting (contract, bus/base).
// Invariants:
//   C1  everything below `Only inside the executor` is touched by the executor's holder alone
//   C2  there is always an instance until retire(); one that trapped is replaced before the executor is left, or
//       `broken` says why not
//   C3  where a keeper is, the instance is the keeper's, and everything that enters it goes by way of the keeper
// Lifetime: shared by the host, its links, and whoever runs its timers.
#pragma once

#include <symphony/pit.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pits/hosting/executor.hpp"
#include "pits/hosting/in_process_host.hpp"
#include "pits/hosting/instance.hpp"
#include "pits/hosting/overrun.hpp"
#include "pits/hosting/service_thread.hpp"
#include "pits/hosting/state_keeper.hpp"

namespace symphony::pit {

class InProcessCore final : public ServiceClient,
                            private InstanceServices,
                            private KeptHost,
                            public std::enable_shared_from_this<InProcessCore> {
 public:
  InProcessCore(std::string_view mode, std::unique_ptr<InstanceFactory> factory, const InProcessOptions& options);
  ~InProcessCore() override;

  // The first instance, RUNNING.   [before anybody else knows of this]
  Outcome begin();
  // Without a keeper: an instance up to RUNNING, or DRAINED where drain() left the one before, in the place of the one
  // that is there; on failure that one stays.   [inside]
  Outcome make_running(const Snapshot* from);
  template <std::derived_from<ReplySink> Sink>
  void handle(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
              Sink& sink) noexcept {
    if (!is_plain_) [[unlikely]]
      return handle_specially(link, envelope, body, sink);
    instance_->handle(envelope, body, sink);
    look_after();
  }
  [[nodiscard]] Instance& instance() noexcept { return options_.keeper ? options_.keeper->instance() : *instance_; }
  // The state of a snapshot, by way of a new instance; on failure that which is there stays.   [inside]
  Outcome restore(const Snapshot& from);
  // Nobody waits any longer for a request that was deferred: `request` of the instance, `id` of the link. False: it has
  // ended.   [inside]
  bool forget(std::uint64_t link, std::uint64_t id, std::uint64_t request) noexcept;

  // A number for a link; no other one has it, in this process or an earlier one.   [any thread]
  [[nodiscard]] std::uint64_t next_link() noexcept;
  // The link is over.   [any thread but the executor's holder]
  void link_gone(std::uint64_t link) noexcept;
  // Takes the state for the instance that may have to follow.   [inside]
  Outcome keep(Snapshot& out);

  // Runs `work`, which returns an Outcome, inside the executor.   [any thread but the executor's holder]
  template <class Work>
  Outcome run(Work&& work);

  // Where a step traps, the next instance is there when it returns, in the state in which the step found the old one.
  // QUARANTINED: there is no instance to take it.   [inside]
  Outcome drain(std::uint64_t deadline_ns);
  Outcome start();
  Outcome stop();
  // As Host::rest, resume and retire. After retire() there is no instance any more.   [inside]
  Outcome rest(std::uint64_t deadline_ns);
  Outcome resume(const Snapshot& from);
  Outcome retire();
  [[nodiscard]] bool is_retired() const noexcept { return !options_.keeper && instance_ == nullptr; }
  static constexpr std::string_view text_retired =
      "another instance took this one's place: open the pit anew by its name";
  // The pit's clock stands at `now_ns` and its random() begins anew; what is due by then runs before this returns.
  Outcome feed(std::uint64_t seed, TimeNs now_ns);

  [[nodiscard]] const std::shared_ptr<ServiceThread>& services() const noexcept { return options_.services; }
  [[nodiscard]] Health health() const { return overrun_ ? overrun_->health() : Health{}; }  // [any thread]

  TimeNs run_timers(TimeNs now) noexcept override;
  void on_answer(std::uint64_t cookie, const Reply& reply) noexcept override;

  const std::string_view mode;
  Executor executor;
  PitInfo info;
  // relaxed everywhere: only a number for people.
  std::atomic<std::uint64_t> rebuilds{0};

 private:
  std::int32_t call_async(const AsyncCall& call) noexcept override;
  std::int32_t publish(std::uint32_t type, std::span<const std::byte> body) noexcept override;
  void timer_due(TimeNs due_ns) noexcept override;
  // run() for work that must happen: waits while the queue is full.
  template <class Work>
  void insist(Work&& work) noexcept;

  // After each entry: an instance that trapped is replaced. Two loads where nothing happened.
  void look_after() noexcept {
    if (instance_->state() == State::trapped) [[unlikely]] {
      rebuild();
    } else if (options_.checkpoint_after != 0) [[unlikely]] {
      checkpoint();
    }
  }
  template <class Step>
  Outcome take(Step&& step);
  void rebuild() noexcept;
  void break_down(std::string why) noexcept;

  Outcome make(InstanceServices* services, std::unique_ptr<Instance>& out);

  void handle_specially(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
                        ReplySink& sink) noexcept;
  bool run_one_timer(TimeNs now) noexcept;

  // in_process_kept.cpp: with a keeper
  Outcome begin_kept(const Snapshot* from);
  void handle_kept(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
                   ReplySink& sink) noexcept;
  void answer_kept(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                   std::span<const std::byte> body) noexcept;
  [[nodiscard]] TimeNs run_due_kept(TimeNs now) noexcept;
  Outcome restore_kept(const Snapshot& from);
  void look_after_kept() noexcept;
  void rebuild_kept() noexcept;
  Outcome make_inited(InstanceServices* services, std::unique_ptr<Instance>& out) override;
  std::int32_t post(const AsyncCall& call) noexcept override;
  [[nodiscard]] bool is_heard() const noexcept override { return options_.events != nullptr; }
  void tell(std::uint32_t type, std::span<const std::byte> body) noexcept override;
  [[nodiscard]] LogSink* log() const noexcept override { return options_.log; }
  void checkpoint() noexcept;
  void log_error(std::string_view line) noexcept;

  const std::unique_ptr<InstanceFactory> factory_;
  InProcessOptions options_;
  std::unique_ptr<Overrun> overrun_;  // null: no budget

  // Only inside the executor:
  std::unique_ptr<Instance> instance_;
  std::optional<Snapshot> kept_;
  std::uint64_t kept_at_change_ = 0;
  TimeNs told_due_ns_ = no_deadline_ns;  // what the service thread believes; it looks then, and asks anew
  bool at_rest_ = false;                 // drained, and not started again
  std::string broken_;                   // why there is nothing to run; empty: there is
  bool is_plain_ = false;                // there is an instance to run, and neither a keeper nor a budget

  std::atomic<std::uint64_t> last_link_;
};

// Gives up an owner. Where it was the last, the core has ended when this returns, with what it keeps: the service
// thread may be at work for it, and would be the one to end it, at some later time. [inside the pit it returns at once;
// the service thread ends the core]
void let_go(std::shared_ptr<InProcessCore>& core) noexcept;

struct CoreOwner {
  explicit CoreOwner(std::shared_ptr<InProcessCore> owned) noexcept : core(std::move(owned)) {}
  CoreOwner(const CoreOwner&) = default;
  CoreOwner& operator=(const CoreOwner&) = delete;
  ~CoreOwner() { let_go(core); }
  InProcessCore* operator->() const noexcept { return core.get(); }

  std::shared_ptr<InProcessCore> core;
};

// Work of the control side, run in the executor like a call.
template <class Work>
class ControlTask final : public Executor::Task {
 public:
  explicit ControlTask(Work& work) noexcept : work_(work) {}
  void run() noexcept override {
    try {
      outcome = work_();
    } catch (const std::bad_alloc&) {
      outcome.status = SYMPHONY_OVERLOADED;
    }
  }
  Outcome outcome;

 private:
  Work& work_;
};

[[nodiscard]] inline std::string_view refused_by_executor(Executor::Ran ran) noexcept {
  return ran == Executor::Ran::nested
             ? "called from inside the same pit, which would wait for itself: call after it returned"
             : "too many calls wait for this pit: try later, or raise queue_max";
}

template <class Work>
Outcome InProcessCore::run(Work&& work) {
  auto seat = executor.make_seat();
  if (!seat) return {SYMPHONY_OVERLOADED, seat.error().text};
  // Without a deadline it cannot be abandoned, so it may live here.
  ControlTask<Work> task(work);
  const Executor::Ran ran = executor.run(task, *seat, no_deadline_ns);
  if (ran == Executor::Ran::yes) return std::move(task.outcome);
  return {ran == Executor::Ran::nested ? SYMPHONY_BAD_STATE : SYMPHONY_OVERLOADED,
          std::string(refused_by_executor(ran))};
}

}  // namespace symphony::pit
