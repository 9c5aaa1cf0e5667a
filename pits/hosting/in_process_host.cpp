#include "pits/hosting/in_process_host.hpp"

#include <new>
#include <utility>

#include "pits/hosting/call_task.hpp"
#include "pits/hosting/in_process_core.hpp"

namespace symphony::pit {
namespace {

std::uint64_t envelope_deadline(TimeNs deadline_ns) noexcept {
  if (deadline_ns == no_deadline_ns) return 0;
  return deadline_ns <= 0 ? 1 : static_cast<std::uint64_t>(deadline_ns);
}

class InProcessLink final : public Link {
 public:
  InProcessLink(std::shared_ptr<InProcessCore> core, Executor::Seat seat)
      : core_(std::move(core)), task_(std::make_unique<CallTask>(*core_)), seat_(std::move(seat)) {}

  Reply call(const Request& request) noexcept override {
    const Reply reply = run(request);
    ++ended_;
    return reply;
  }
  Tally tally() const noexcept override { return {last_id_, ended_, 0}; }

 private:
  Reply run(const Request& request) noexcept {
    ++last_id_;
    if (task_ == nullptr) [[unlikely]] {
      task_.reset(new (std::nothrow) CallTask(*core_));
      if (task_ == nullptr) return {SYMPHONY_OVERLOADED, 0, {}, "no memory for a call: try later"};
    }
    CallTask& task = *task_;
    task.envelope = {last_id_, envelope_deadline(request.deadline_ns), request.type, SYMPHONY_FLAG_REQUEST, 0, 0};
    task.body = request.body;
    const Executor::Ran ran = core_->executor.run(task, seat_, request.deadline_ns);
    if (ran == Executor::Ran::yes) [[likely]] {
      if (task.is_deferred()) [[unlikely]]
        return end_deferred(task, request.deadline_ns);
      return task.reply;
    }
    if (ran == Executor::Ran::abandoned) {
      (void)task_.release();  // the executor's now
      return {SYMPHONY_DEADLINE, 0, {}, "the deadline passed while other calls were served: the pit has not seen it"};
    }
    return {ran == Executor::Ran::nested ? SYMPHONY_BAD_STATE : SYMPHONY_OVERLOADED, 0, {}, refused_by_executor(ran)};
  }

  // The pit said that it will answer later.
  Reply end_deferred(CallTask& task, TimeNs deadline_ns) noexcept {
    if (task.wait_ended(deadline_ns)) return task.reply;
    bool forgotten = false;
    auto forget = [&]() -> Outcome {
      forgotten = core_->instance().forget(task.request());
      return {};
    };
    ControlTask<decltype(forget)> control(forget);
    // Full or not, this call has to be taken back: its reply would be written to memory that is used anew.
    while (core_->executor.run(control, seat_, no_deadline_ns) != Executor::Ran::yes) {
      if (task.wait_ended(now_ns() + ms_ns)) return task.reply;
    }
    if (!forgotten) return task.reply;
    return {SYMPHONY_DEADLINE, 0, {}, "the deadline passed before the pit answered: it had accepted the call"};
  }

  std::shared_ptr<InProcessCore> core_;  // first, so that it goes last: the members below use what it keeps
  std::unique_ptr<CallTask> task_;
  Executor::Seat seat_;
  std::uint64_t last_id_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace

InProcessHost::InProcessHost(std::shared_ptr<InProcessCore> core) noexcept : core_(std::move(core)) {}
InProcessHost::~InProcessHost() = default;

Outcome InProcessHost::begin(std::string_view mode, std::unique_ptr<InstanceFactory> factory,
                             const InProcessOptions& options, std::shared_ptr<InProcessCore>& out) {
  auto core = std::make_shared<InProcessCore>(mode, std::move(factory), options);
  if (Outcome o = core->make_running(options.restore); !o.ok()) return o;
  core->info = core->instance().info();
  out = std::move(core);
  return {};
}

std::string_view InProcessHost::mode() const noexcept { return core_->mode; }
const PitInfo& InProcessHost::info() const noexcept { return core_->info; }

std::uint64_t InProcessHost::rebuilds() const noexcept {
  // relaxed: only a number for people.
  return core_->rebuilds.load(std::memory_order_relaxed);
}

Outcome InProcessHost::open(std::unique_ptr<Link>& out) {
  auto seat = core_->executor.make_seat();
  if (!seat) return {SYMPHONY_OVERLOADED, seat.error().text};
  out = std::make_unique<InProcessLink>(core_, std::move(*seat));
  return {};
}

Outcome InProcessHost::snapshot(Snapshot& out) {
  return core_->run([&] { return core_->keep(out); });
}

Outcome InProcessHost::restore(const Snapshot& from) {
  return core_->run([&]() -> Outcome {
    const State state = core_->instance().state();
    if (state != State::running && state != State::trapped) {
      return {SYMPHONY_BAD_STATE, "the host misbehaved: restore of pit '" + core_->info.name + "' in state " +
                                      std::string(to_string(state)) + ": legal in RUNNING"};
    }
    return core_->make_running(&from);
  });
}

Outcome InProcessHost::drain(TimeNs deadline_ns) {
  return core_->run([&] { return core_->instance().drain(envelope_deadline(deadline_ns)); });
}

Outcome InProcessHost::start() {
  return core_->run([&] { return core_->instance().start(); });
}

Outcome InProcessHost::stop() {
  return core_->run([&] { return core_->instance().stop(); });
}

}  // namespace symphony::pit
