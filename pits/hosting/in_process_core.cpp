#include "pits/hosting/in_process_core.hpp"

#include <time.h>

#include <new>
#include <utility>

namespace symphony::pit {

InProcessCore::InProcessCore(std::string_view of, std::unique_ptr<InstanceFactory> factory,
                             const InProcessOptions& options)
    : mode(of), executor(options.queue_max), factory_(std::move(factory)), options_(options) {
  options_.restore = nullptr;
  if (options_.services == nullptr) {
    options_.services = std::make_shared<ServiceThread>([](std::string_view service, TimeNs, std::unique_ptr<Link>&) {
      return Outcome{SYMPHONY_UNREACHABLE, "nobody told this host where pit '" + std::string(service) + "' is"};
    });
  }
}

Outcome InProcessCore::make_running(const Snapshot* from) {
  std::unique_ptr<Instance> made;
  const InstanceOptions options{.config = options_.config,
                                .services = this,
                                .log = options_.log,
                                .seed = options_.seed,
                                .extensions = options_.extensions};
  if (Outcome o = factory_->make(options, made); !o.ok()) return o;
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
  kept_ = std::move(first);
  kept_at_change_ = instance_->changes();
  return {};
}

Outcome InProcessCore::keep(Snapshot& out) {
  if (!broken_.empty()) return {SYMPHONY_QUARANTINED, broken_};
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
      broken_ = "the pit trapped, and its next instance did not start: " + made.text + "; restore a good state";
      log_error(broken_);
      return;
    }
    // relaxed: only a number for people.
    rebuilds.fetch_add(1, std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {
    broken_ = "the pit trapped; no memory for the next one";  // short enough to need none itself
  }
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
    if (!instance_->is_fed()) {
      for (int i = 0; i < SYMPHONY_TIMERS_MAX && instance_->run_timer(now); ++i) look_after();
      next = instance_->state() == State::running ? instance_->next_timer_ns() : no_deadline_ns;
    }
    told_due_ns_ = next;
  });
  return next;
}

void InProcessCore::on_answer(std::uint64_t cookie, const Reply& reply) noexcept {
  insist([&] {
    const auto body = reply.ok() ? reply.body : std::as_bytes(std::span(reply.text));
    instance_->answer(cookie, reply.status, reply.type, body);
    look_after();
  });
}

Outcome InProcessCore::feed(std::uint64_t seed, TimeNs now_ns) {
  return run([&]() -> Outcome {
    instance_->feed(seed, now_ns);
    for (int i = 0; i < SYMPHONY_TIMERS_MAX && instance_->run_timer(now_ns); ++i) look_after();
    return {};
  });
}

template <class Step>
Outcome InProcessCore::take(Step&& step) {
  if (!broken_.empty()) return {SYMPHONY_QUARANTINED, broken_};
  Outcome taken = step();
  if (instance_->state() == State::trapped) rebuild();
  return taken;
}

Outcome InProcessCore::drain(std::uint64_t deadline_ns) {
  return take([&] {
    Outcome drained = instance_->drain(deadline_ns);
    at_rest_ = at_rest_ || drained.ok();
    return drained;
  });
}

Outcome InProcessCore::stop() {
  return take([&] { return instance_->stop(); });
}

// Drained timers hold: a start looks at what became due meanwhile.
Outcome InProcessCore::start() {
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
