#include "pits/hosting/in_process_link.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace symphony::pit {

InProcessLink::~InProcessLink() {
  for (Started& started : started_) {
    if (started.waits) take_back(*started.task);
  }
  core_->link_gone(link_);
}

// Inlined where calls are made: it is on the way of each, and mostly a few stores.
[[gnu::always_inline]] inline bool InProcessLink::enter(std::unique_ptr<CallTask>& task, const Request& request,
                                                        Reply& reply) noexcept {
  ++last_id_;
  task->envelope = {last_id_, envelope_deadline_of(request.deadline_ns), request.type, SYMPHONY_FLAG_REQUEST, 0, 0};
  task->body = request.body;
  task->reply = &reply;
  const Executor::Ran ran = core_->executor.run(*task, seat_, request.deadline_ns);
  if (ran == Executor::Ran::yes) [[likely]]
    return !task->is_deferred();
  if (ran == Executor::Ran::abandoned) {
    (void)task.release();  // the executor's now
    reply = {SYMPHONY_DEADLINE, 0, {}, "the deadline passed while other calls were served: the pit has not seen it"};
  } else {
    reply = {ran == Executor::Ran::nested ? SYMPHONY_BAD_STATE : SYMPHONY_OVERLOADED, 0, {}, refused_by_executor(ran)};
  }
  return true;
}

Reply InProcessLink::call(const Request& request) noexcept {
  Reply reply;  // written where it is returned: copying what was just stored in parts waits for the stores
  if (task_ == nullptr || !enter(task_, request, reply)) [[unlikely]]
    call_slowly(request, reply);
  ++ended_;
  return reply;
}

// Without a task, which an abandoned call took along, or when the pit left the call for later.
void InProcessLink::call_slowly(const Request& request, Reply& reply) noexcept {
  if (task_ == nullptr) {
    task_.reset(new (std::nothrow) CallTask(*core_.core, link_));
    if (task_ == nullptr) {
      ++last_id_;
      reply = {SYMPHONY_OVERLOADED, 0, {}, "no memory for a call: try later"};
      return;
    }
    if (enter(task_, request, reply)) return;
  }
  if (!task_->wait_ended(request.deadline_ns)) take_back(*task_);
}

// The caller does not wait any longer for a call that the pit left for later: its reply is then the pit's after all, or
// says so.
void InProcessLink::take_back(CallTask& task) noexcept {
  bool forgotten = false;
  auto forget = [&]() -> Outcome {
    forgotten = core_->forget(link_, task.envelope.id, task.request());
    return {};
  };
  ControlTask<decltype(forget)> control(forget);
  // Full or not, it has to be taken back: its reply would be written to memory that is used anew.
  while (core_->executor.run(control, seat_, no_deadline_ns) != Executor::Ran::yes) {
    if (task.wait_ended(now_ns() + ms_ns)) return;
  }
  if (forgotten) {
    *task.reply = {SYMPHONY_DEADLINE, 0, {}, "the deadline passed before the pit answered: it had accepted the call"};
  }
}

bool InProcessLink::try_start(const Request& request, std::uint64_t tag) noexcept {
  try {
    Started& started = started_.emplace_back();
    started.tag = tag;
    started.deadline_ns = request.deadline_ns;
    started.task.reset(new (std::nothrow) CallTask(*core_.core, link_));
    if (started.task == nullptr) {
      started_.pop_back();
      return false;
    }
    started.task->wake_with(wake_);
    started.waits = !enter(started.task, request, started.reply);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool InProcessLink::try_take(std::uint64_t& tag, Reply& reply) noexcept {
  taken_.clear();
  if (started_.empty()) return false;
  const TimeNs now = now_ns();
  const auto found = std::find_if(started_.begin(), started_.end(), [&](Started& started) {
    if (!started.waits) return true;
    if (!started.task->has_ended()) {
      if (now < started.deadline_ns) return false;
      take_back(*started.task);
    }
    started.waits = false;
    return true;
  });
  if (found == started_.end()) return false;
  taken_.splice(taken_.end(), started_, found);
  ++ended_;
  tag = found->tag;
  reply = found->reply;
  return true;
}

Link::Wait InProcessLink::prepare_wait() noexcept {
  Wait wait;
  for (const Started& started : started_) {
    wait.until_ns = std::min(wait.until_ns, started.waits ? started.deadline_ns : 0);
  }
  return wait;
}

}  // namespace symphony::pit
