#include "pits/hosting/in_process_host.hpp"

#include <memory>
#include <new>
#include <utility>

#include "pits/hosting/in_process_core.hpp"
#include "pits/hosting/in_process_link.hpp"
#include "pits/hosting/thread_links.hpp"

namespace symphony::pit {

InProcessHost::InProcessHost(std::shared_ptr<InProcessCore> core) noexcept : core_(std::move(core)) {}
InProcessHost::~InProcessHost() { let_go(core_); }

Outcome InProcessHost::begin(std::string_view mode, std::unique_ptr<InstanceFactory> factory,
                             const InProcessOptions& options, std::shared_ptr<InProcessCore>& out) {
  CoreOwner made(std::make_shared<InProcessCore>(mode, std::move(factory), options));
  if (Outcome o = made->begin(); !o.ok()) return o;
  out = std::move(made.core);
  return {};
}

std::string_view InProcessHost::mode() const noexcept { return core_->mode; }
const PitInfo& InProcessHost::info() const noexcept { return core_->info; }

Health InProcessHost::health() const { return core_->health(); }

std::uint64_t InProcessHost::rebuilds() const noexcept {
  // relaxed: only a number for people.
  return core_->rebuilds.load(std::memory_order_relaxed);
}

namespace {

template <class Way>
Outcome make_link(const std::shared_ptr<InProcessCore>& core, std::unique_ptr<Way>& out) {
  auto seat = core->executor.make_seat();
  if (!seat) return {SYMPHONY_OVERLOADED, seat.error().text};
  out = std::make_unique<InProcessLink>(core, std::move(*seat));
  return {};
}

}  // namespace

Outcome InProcessHost::open(std::unique_ptr<Link>& out) { return make_link(core_, out); }

Outcome InProcessHost::share(std::unique_ptr<SharedLink>& out) {
  ThreadLinks::Options options;
  options.own = [owner = CoreOwner(core_)](TimeNs, std::unique_ptr<Caller>& made) {
    return make_link(owner.core, made);
  };
  options.own_max = Executor::default_queue_max;
  out = std::make_unique<ThreadLinks>(std::move(options));
  return {};
}

Outcome InProcessHost::snapshot(Snapshot& out) {
  return core_->run([&] { return core_->keep(out); });
}

Outcome InProcessHost::restore(const Snapshot& from) {
  return core_->run([&]() -> Outcome {
    if (core_->is_retired()) return {SYMPHONY_BAD_STATE, std::string(InProcessCore::text_retired)};
    const State state = core_->instance().state();
    if (state != State::running && state != State::trapped) {
      return {SYMPHONY_BAD_STATE, "the host misbehaved: restore of pit '" + core_->info.name + "' in state " +
                                      std::string(to_string(state)) + ": legal in RUNNING"};
    }
    return core_->restore(from);
  });
}

Outcome InProcessHost::drain(TimeNs deadline_ns) {
  return core_->run([&] { return core_->drain(envelope_deadline_of(deadline_ns)); });
}

Outcome InProcessHost::start() {
  return core_->run([&] { return core_->start(); });
}

Outcome InProcessHost::rest(TimeNs deadline_ns) {
  struct Rest final : Executor::Task {
    InProcessCore* core = nullptr;
    TimeNs deadline_ns = no_deadline_ns;
    Outcome outcome;
    void run() noexcept override {
      try {
        outcome = core->rest(envelope_deadline_of(deadline_ns));
      } catch (const std::bad_alloc&) {
        outcome.status = SYMPHONY_OVERLOADED;
      }
    }
  };
  auto seat = core_->executor.make_seat();
  if (!seat) return {SYMPHONY_OVERLOADED, seat.error().text};
  auto task = std::make_unique<Rest>();
  task->core = core_.get();
  task->deadline_ns = deadline_ns;
  const Executor::Ran ran = core_->executor.run(*task, *seat, deadline_ns);
  if (ran == Executor::Ran::yes) return std::move(task->outcome);
  if (ran == Executor::Ran::abandoned) {
    (void)task.release();  // the executor's now
    return {SYMPHONY_DEADLINE, "a handler of pit '" + core_->info.name + "' did not return in time"};
  }
  return {ran == Executor::Ran::nested ? SYMPHONY_BAD_STATE : SYMPHONY_OVERLOADED,
          std::string(refused_by_executor(ran))};
}

Outcome InProcessHost::resume(const Snapshot& from, TimeNs) {
  return core_->run([&] { return core_->resume(from); });
}

Outcome InProcessHost::retire() {
  return core_->run([&] { return core_->retire(); });
}

Outcome InProcessHost::feed(std::uint64_t seed, TimeNs now_ns) { return core_->feed(seed, now_ns); }

Outcome InProcessHost::stop() {
  return core_->run([&] { return core_->stop(); });
}

}  // namespace symphony::pit
