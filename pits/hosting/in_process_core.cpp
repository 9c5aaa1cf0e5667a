#include "pits/hosting/in_process_core.hpp"

#include <new>
#include <utility>

namespace symphony::pit {

InProcessCore::InProcessCore(std::string_view of, std::unique_ptr<InstanceFactory> factory,
                             const InProcessOptions& options)
    : mode(of), executor(options.queue_max), factory_(std::move(factory)), options_(options) {
  options_.restore = nullptr;
}

Outcome InProcessCore::make_running(const Snapshot* from) {
  std::unique_ptr<Instance> made;
  const InstanceOptions options{
      .config = options_.config, .log = options_.log, .seed = options_.seed, .extensions = options_.extensions};
  if (Outcome o = factory_->make(options, made); !o.ok()) return o;
  if (Outcome o = made->init(); !o.ok()) return o;
  if (from != nullptr) {
    if (Outcome o = made->restore(*from); !o.ok()) return o;
  }
  if (Outcome o = made->start(); !o.ok()) return o;
  instance_ = std::move(made);
  broken_.clear();
  kept_.reset();
  if (factory_->can_trap() && instance_->info().state_revision != 0) {
    Snapshot first;
    if (Outcome o = keep(first); !o.ok()) return o;
  }
  return {};
}

Outcome InProcessCore::keep(Snapshot& out) {
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

void InProcessCore::log_error(std::string_view line) noexcept {
  if (options_.log != nullptr) options_.log->write(SYMPHONY_LOG_ERROR, info.name, line);
}

}  // namespace symphony::pit
