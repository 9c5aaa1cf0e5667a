// The core of a pit whose state a keeper keeps: everything enters by way of the keeper, and an instance that trapped is
// followed by one from before the event that it trapped in.
#include <time.h>

#include <new>
#include <utility>

#include "pits/hosting/in_process_core.hpp"

namespace symphony::pit {

// Inside the executor, unlike the first instance of a pit without a keeper: answers may come before it is ready.
Outcome InProcessCore::begin_kept(const Snapshot* from) {
  if (!options_.keeper->outlives_the_process() && !factory_->can_trap()) {
    return {SYMPHONY_BAD_STATE, "mount: a pit in mode " + std::string(mode) +
                                    " dies with its program, so its state needs a folder: set StatePolicy::folder"};
  }
  return run([&]() -> Outcome {
    if (Outcome begun = options_.keeper->begin(*this); !begun.ok()) return begun;
    if (from != nullptr) {
      if (Outcome restored = options_.keeper->restore(*from); !restored.ok()) return restored;
    }
    look_after_kept();
    return broken_.empty() ? Outcome{} : Outcome{SYMPHONY_QUARANTINED, broken_};
  });
}

void InProcessCore::handle_kept(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
                                ReplySink& sink) noexcept {
  options_.keeper->handle(link, envelope, body, sink);
  look_after_kept();
}

void InProcessCore::answer_kept(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                                std::span<const std::byte> body) noexcept {
  if (!broken_.empty()) return;  // the state that asked is not there
  options_.keeper->answer(cookie, status, type, body);
  look_after_kept();
}

TimeNs InProcessCore::run_due_kept(TimeNs now) noexcept {
  told_due_ns_ = no_deadline_ns;
  if (!broken_.empty()) return no_deadline_ns;
  options_.keeper->run_due(now);
  while (broken_.empty() && instance().state() == State::trapped) rebuild_kept();
  return broken_.empty() ? options_.keeper->next_due_ns() : no_deadline_ns;
}

Outcome InProcessCore::restore_kept(const Snapshot& from) {
  Outcome restored = options_.keeper->restore(from);
  if (!restored.ok()) return restored;
  broken_.clear();
  look_after_kept();
  return restored;
}

void InProcessCore::look_after_kept() noexcept {
  while (broken_.empty() && instance().state() == State::trapped) rebuild_kept();
  if (!broken_.empty()) return;
  const TimeNs due_ns = options_.keeper->next_due_ns();
  if (due_ns >= told_due_ns_) return;
  if (options_.services->due(weak_from_this(), due_ns) == SYMPHONY_OK) {
    told_due_ns_ = due_ns;
  } else {
    log_error("no thread for the pit's timers: free memory or descriptors; they run when the next call comes");
  }
}

void InProcessCore::rebuild_kept() noexcept {
  try {
    if (const Outcome made = options_.keeper->begin_again(); !made.ok()) {
      return break_down("the pit trapped, and its next instance did not start: " + made.text +
                        "; restore a good state");
    }
    // relaxed: only a number for people.
    rebuilds.fetch_add(1, std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {
    break_down("no memory");  // short enough to need none itself
  }
}

Outcome InProcessCore::make_inited(InstanceServices* services, std::unique_ptr<Instance>& out) {
  if (Outcome made = make(services, out); !made.ok()) return made;
  return out->init();
}

std::int32_t InProcessCore::post(const AsyncCall& call) noexcept {
  return options_.services->post(weak_from_this(), call);
}

void InProcessCore::tell(std::uint32_t type, std::span<const std::byte> body) noexcept {
  options_.events->on_event(type, body);
}

// ---- links

std::uint64_t InProcessCore::next_link() noexcept {
  // relaxed: a number that is its own is all that it has to be.
  return last_link_.fetch_add(1, std::memory_order_relaxed) + 1;
}

void InProcessCore::link_gone(std::uint64_t link) noexcept {
  if (!options_.keeper) return;
  for (;;) {
    try {
      const auto said = run([&]() -> Outcome {
        if (broken_.empty()) options_.keeper->gone(link);
        return {};
      });
      if (said.status != SYMPHONY_OVERLOADED) return;  // from inside the pit: its state knows one link too many
    } catch (const std::bad_alloc&) {
    }
    const timespec while_others_are_served{0, ms_ns};
    ::nanosleep(&while_others_are_served, nullptr);
  }
}

}  // namespace symphony::pit
