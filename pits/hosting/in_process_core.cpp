#include "pits/hosting/in_process_core.hpp"

#include <sys/random.h>
#include <time.h>

#include <new>
#include <utility>

namespace symphony::pit {
namespace {

// Beyond what any state remembers of an earlier process's links: by chance.
std::uint64_t first_link() noexcept {
  std::uint64_t first = 0;
  if (::getrandom(&first, sizeof first, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof first)) {
    first = static_cast<std::uint64_t>(now_ns()) << 20;
  }
  return first >> 1;
}

}  // namespace

InProcessCore::InProcessCore(std::string_view of, std::unique_ptr<InstanceFactory> factory,
                             const InProcessOptions& options)
    : mode(of), executor(options.queue_max), factory_(std::move(factory)), options_(options), last_link_(first_link()) {
  if (options_.services == nullptr) {
    options_.services = std::make_shared<ServiceThread>([](std::string_view service, TimeNs, std::unique_ptr<Link>&) {
      return Outcome{SYMPHONY_UNREACHABLE, "nobody told this host where pit '" + std::string(service) + "' is"};
    });
  }
}

InProcessCore::~InProcessCore() {
  if (options_.keeper) options_.keeper->end();
}

void let_go(std::shared_ptr<InProcessCore>& core) noexcept {
  if (core == nullptr) return;
  const bool is_inside = core->executor.is_held_here();  // the service thread may wait for this thread to leave
  const std::shared_ptr<ServiceThread> services = core->services();
  const std::weak_ptr<InProcessCore> left = core;
  core.reset();
  // Where there is one owner, it is the service thread, or one that comes here itself.
  if (left.use_count() == 1 && !is_inside) services->let_go(left);
}

Outcome InProcessCore::begin() {
  const Snapshot* const from = std::exchange(options_.restore, nullptr);
  if (options_.overrun.budget_ms != 0) {
    overrun_ = Overrun::make(mode, options_.overrun, options_.log);
    if (overrun_ == nullptr) return {SYMPHONY_OVERLOADED, "no memory or thread to watch the pit's budget with"};
  }
  Outcome begun = options_.keeper ? begin_kept(from) : make_running(from);
  if (begun.ok()) info = instance().info();
  if (begun.ok() && overrun_) overrun_->set_name(info.name);
  return begun;
}

Outcome InProcessCore::make(InstanceServices* services, std::unique_ptr<Instance>& out) {
  const InstanceOptions options{.config = options_.config,
                                .services = services,
                                .log = options_.log,
                                .seed = options_.seed,
                                .extensions = options_.extensions};
  return factory_->make(options, out);
}

Outcome InProcessCore::make_running(const Snapshot* from) {
  std::unique_ptr<Instance> made;
  if (Outcome o = make(this, made); !o.ok()) return o;
  if (instance_ != nullptr && instance_->is_fed()) made->feed(instance_->seed(), instance_->clock_ns());
  if (Outcome o = made->init(); !o.ok()) return o;
  if (from != nullptr) {
    if (Outcome o = made->restore(*from); !o.ok()) return o;
  }
  if (Outcome o = made->start(); !o.ok()) return o;
  std::optional<Snapshot> first;
  if (factory_->can_trap() && made->info().state_revision != 0) {
    if (Outcome o = made->snapshot(first.emplace()); !o.ok()) return o;
  }
  if (at_rest_) {
    if (Outcome o = made->drain(0); !o.ok()) return o;
  }
  instance_ = std::move(made);
  told_due_ns_ = no_deadline_ns;
  timer_due(instance_->next_timer_ns());
  broken_.clear();
  is_plain_ = overrun_ == nullptr;
  kept_ = std::move(first);
  kept_at_change_ = instance_->changes();
  return {};
}

Outcome InProcessCore::restore(const Snapshot& from) {
  return options_.keeper ? restore_kept(from) : make_running(&from);
}

bool InProcessCore::forget(std::uint64_t link, std::uint64_t id, std::uint64_t request) noexcept {
  return options_.keeper ? options_.keeper->forget(link, id) : instance_->forget(request);
}

Outcome InProcessCore::keep(Snapshot& out) {
  if (!broken_.empty()) return {SYMPHONY_QUARANTINED, broken_};
  if (options_.keeper) return take([&] { return instance().snapshot(out); });
  Outcome taken = instance_->snapshot(out);
  if (taken.ok() && factory_->can_trap()) {
    kept_ = out;
    kept_at_change_ = instance_->changes();
  }
  if (instance_->state() == State::trapped) rebuild();
  return taken;
}

void InProcessCore::checkpoint() noexcept {
  if (instance_->changes() - kept_at_change_ < options_.checkpoint_after) return;
  try {
    Snapshot next;
    if (const Outcome taken = keep(next); !taken.ok()) log_error("a checkpoint failed: " + taken.text);
  } catch (const std::bad_alloc&) {
    log_error("no memory for a checkpoint: the one before stays");
  }
}

void InProcessCore::rebuild() noexcept {
  if (!broken_.empty()) return;  // it was tried
  try {
    const std::optional<Snapshot> from = std::move(kept_);
    if (const Outcome made = make_running(from ? &*from : nullptr); !made.ok()) {
      kept_ = from;
      break_down("the pit trapped, and its next instance did not start: " + made.text + "; restore a good state");
      return;
    }
    // relaxed: only a number for people.
    rebuilds.fetch_add(1, std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {
    break_down("no memory");  // short enough to need none itself
  }
}

void InProcessCore::break_down(std::string why) noexcept {
  is_plain_ = false;
  broken_ = std::move(why);
  log_error(broken_);
}

void InProcessCore::handle_specially(std::uint64_t link, const symphony_envelope& envelope,
                                     std::span<const std::byte> body, ReplySink& sink) noexcept {
  if (!broken_.empty()) return sink.fail(SYMPHONY_QUARANTINED, broken_);
  const Overrun::Turn turn(overrun_.get(), envelope.type);
  if (options_.keeper) return handle_kept(link, envelope, body, sink);
  instance_->handle(envelope, body, sink);
  look_after();
}

bool InProcessCore::run_one_timer(TimeNs now) noexcept {
  const Overrun::Turn turn(overrun_.get(), 0);
  return instance_->run_timer(now);
}

// ---- what the pit asks, and what comes of it

std::int32_t InProcessCore::call_async(const AsyncCall& call) noexcept {
  return options_.services->post(weak_from_this(), call);
}

std::int32_t InProcessCore::publish(std::uint32_t type, std::span<const std::byte> body) noexcept {
  if (options_.events == nullptr) return SYMPHONY_DENIED;
  options_.events->on_event(type, body);
  return SYMPHONY_OK;
}

void InProcessCore::timer_due(TimeNs due_ns) noexcept {
  // An instance that is being made is not the one that runs: make_running() tells of it.
  if (instance_ == nullptr || due_ns >= told_due_ns_ || instance_->is_fed()) return;
  if (options_.services->due(weak_from_this(), due_ns) == SYMPHONY_OK) {
    told_due_ns_ = due_ns;
  } else {
    log_error("no thread for the pit's timers: free memory or descriptors; they run when the next one is set");
  }
}

template <class Work>
void InProcessCore::insist(Work&& work) noexcept {
  for (;;) {
    try {
      if (run([&]() -> Outcome { return work(), Outcome{}; }).ok()) return;
    } catch (const std::bad_alloc&) {
    }
    const timespec while_others_are_served{0, ms_ns};
    ::nanosleep(&while_others_are_served, nullptr);
  }
}

TimeNs InProcessCore::run_timers(TimeNs now) noexcept {
  TimeNs next = no_deadline_ns;
  insist([&] {
    if (options_.keeper) {
      const Overrun::Turn turn(overrun_.get(), 0);
      next = run_due_kept(now);
    } else if (!is_retired() && !instance_->is_fed()) {
      for (int i = 0; i < SYMPHONY_TIMERS_MAX && run_one_timer(now); ++i) look_after();
      next = instance_->state() == State::running ? instance_->next_timer_ns() : no_deadline_ns;
    }
    told_due_ns_ = next;
  });
  return next;
}

void InProcessCore::on_answer(std::uint64_t cookie, const Reply& reply) noexcept {
  insist([&] {
    if (is_retired()) return;
    const auto body = reply.ok() ? reply.body : std::as_bytes(std::span(reply.text));
    const Overrun::Turn turn(overrun_.get(), 0);
    if (options_.keeper) return answer_kept(cookie, reply.status, reply.type, body);
    instance_->answer(cookie, reply.status, reply.type, body);
    look_after();
  });
}

Outcome InProcessCore::feed(std::uint64_t seed, TimeNs now_ns) {
  return run([&]() -> Outcome {
    if (options_.keeper) return take([&] { return options_.keeper->feed(seed, now_ns); });
    if (is_retired()) return {SYMPHONY_BAD_STATE, std::string(text_retired)};
    instance_->feed(seed, now_ns);
    for (int i = 0; i < SYMPHONY_TIMERS_MAX && run_one_timer(now_ns); ++i) look_after();
    return {};
  });
}

template <class Step>
Outcome InProcessCore::take(Step&& step) {
  if (!broken_.empty()) return {SYMPHONY_QUARANTINED, broken_};
  Outcome taken = step();
  if (options_.keeper) {
    look_after_kept();
  } else if (instance_->state() == State::trapped) {
    rebuild();
  }
  return taken;
}

Outcome InProcessCore::drain(std::uint64_t deadline_ns) {
  if (options_.keeper) return take([&] { return options_.keeper->drain(deadline_ns); });
  return take([&] {
    Outcome drained = instance_->drain(deadline_ns);
    at_rest_ = at_rest_ || drained.ok();
    return drained;
  });
}

Outcome InProcessCore::stop() {
  return take([&] { return options_.keeper ? options_.keeper->stop() : instance_->stop(); });
}

Outcome InProcessCore::rest(std::uint64_t deadline_ns) {
  if (options_.keeper) {
    return {
        SYMPHONY_BAD_STATE,
        "the pit's state is kept in a folder, which a swap does not hand on: unmount it, and mount the other there"};
  }
  if (broken_.empty()) {
    if (Outcome busy = instance_->under_way(); !busy.ok()) return busy;
  }
  return drain(deadline_ns);
}

Outcome InProcessCore::resume(const Snapshot& from) {
  if (is_retired()) return {SYMPHONY_BAD_STATE, std::string(text_retired)};
  const bool was_at_rest = std::exchange(at_rest_, false);
  Outcome made = make_running(&from);
  if (!made.ok()) at_rest_ = was_at_rest;
  return made;
}

Outcome InProcessCore::retire() {
  if (broken_.empty() && instance_->state() == State::running) (void)drain(0);
  Outcome stopped = stop();
  broken_ = text_retired;
  is_plain_ = false;  // there is nothing to run
  instance_.reset();
  kept_.reset();
  return stopped;
}

// Drained timers hold: a start looks at what became due meanwhile.
Outcome InProcessCore::start() {
  if (options_.keeper) return take([&] { return options_.keeper->start(); });
  return take([&] {
    Outcome started = instance_->start();
    if (started.ok()) {
      at_rest_ = false;
      timer_due(instance_->next_timer_ns());
    }
    return started;
  });
}

void InProcessCore::log_error(std::string_view line) noexcept {
  if (options_.log != nullptr) options_.log->write(SYMPHONY_LOG_ERROR, info.name, line);
}

}  // namespace symphony::pit
