#include "pits/hosting/static/static_host.hpp"

#include <array>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace symphony::pit {

// What the host and its links share.
struct StaticHost::Core {
  Core(const symphony_pit_entry& from, const StaticOptions& chosen)
      : entry(from), options(chosen), executor(chosen.queue_max) {}

  const symphony_pit_entry& entry;
  StaticOptions options;
  Executor executor;
  PitInfo info;
  std::unique_ptr<Instance> instance;  // only inside the executor
};

namespace {

constexpr std::size_t first_reply_size = 1024;

std::uint64_t envelope_deadline(TimeNs deadline_ns) noexcept {
  if (deadline_ns == no_deadline_ns) return 0;
  return deadline_ns <= 0 ? 1 : static_cast<std::uint64_t>(deadline_ns);
}

// An instance up to RUNNING.
Outcome make_running(const symphony_pit_entry& entry, const InstanceOptions& options, const Snapshot* from,
                     std::unique_ptr<Instance>& out) {
  std::unique_ptr<Instance> made;
  if (Outcome o = Instance::make(entry, options, made); !o.ok()) return o;
  if (Outcome o = made->init(); !o.ok()) return o;
  if (from != nullptr) {
    if (Outcome o = made->restore(*from); !o.ok()) return o;
  }
  if (Outcome o = made->start(); !o.ok()) return o;
  out = std::move(made);
  return {};
}

// One call: the request as it came, and the reply where the caller will read it.
class CallTask final : public Executor::Task, public ReplySink {
 public:
  explicit CallTask(std::unique_ptr<Instance>& instance) noexcept : instance_(instance) {}

  symphony_envelope envelope{};
  std::span<const std::byte> body;
  Reply reply;

  void run() noexcept override { instance_->handle(envelope, body, *this); }

  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    const std::size_t words = (std::size_t{size_min} + 7) / 8;
    if (words > bytes_.size()) {
      try {
        bytes_.resize(std::max(words, first_reply_size / 8));
      } catch (const std::bad_alloc&) {
        return false;
      }
    }
    out = std::as_writable_bytes(std::span(bytes_));
    return true;
  }
  void commit(std::uint32_t used, std::uint32_t type) noexcept override {
    reply = {SYMPHONY_OK, type, std::as_bytes(std::span(bytes_)).first(used), {}};
  }
  void fail(std::int32_t status, std::string_view text) noexcept override {
    const std::string_view cut = clip_utf8(text, text_.size());
    if (!cut.empty()) std::memcpy(text_.data(), cut.data(), cut.size());
    reply = {status, 0, {}, {text_.data(), cut.size()}};
  }

 private:
  std::unique_ptr<Instance>& instance_;
  std::vector<std::uint64_t> bytes_;
  std::array<char, error_text_max> text_;
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

Outcome refused_by_executor(Executor::Ran ran) {
  if (ran == Executor::Ran::nested) {
    return {SYMPHONY_BAD_STATE, "called from inside the same pit, which would wait for itself: call after it returned"};
  }
  return {SYMPHONY_OVERLOADED, "too many calls wait for this pit: try later, or raise queue_max"};
}

template <class Work>
Outcome run_control(Executor& executor, Work&& work) {
  auto seat = executor.make_seat();
  if (!seat) return {SYMPHONY_OVERLOADED, seat.error().text};
  // Without a deadline it cannot be abandoned, so it may live here.
  ControlTask<Work> task(work);
  const Executor::Ran ran = executor.run(task, *seat, no_deadline_ns);
  return ran == Executor::Ran::yes ? std::move(task.outcome) : refused_by_executor(ran);
}

class StaticLink final : public Link {
 public:
  StaticLink(std::shared_ptr<void> keep, Executor& executor, std::unique_ptr<Instance>& instance, Executor::Seat seat)
      : keep_(std::move(keep)),
        executor_(executor),
        instance_(instance),
        task_(std::make_unique<CallTask>(instance)),
        seat_(std::move(seat)) {}

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
      task_.reset(new (std::nothrow) CallTask(instance_));
      if (task_ == nullptr) return {SYMPHONY_OVERLOADED, 0, {}, "no memory for a call: try later"};
    }
    CallTask& task = *task_;
    task.envelope = {last_id_, envelope_deadline(request.deadline_ns), request.type, SYMPHONY_FLAG_REQUEST, 0, 0};
    task.body = request.body;
    const Executor::Ran ran = executor_.run(task, seat_, request.deadline_ns);
    if (ran == Executor::Ran::yes) [[likely]]
      return task.reply;
    switch (ran) {
      case Executor::Ran::abandoned:
        (void)task_.release();  // the executor's now
        return {SYMPHONY_DEADLINE, 0, {}, "the deadline passed while other calls were served: the pit has not seen it"};
      case Executor::Ran::nested:
        return {SYMPHONY_BAD_STATE, 0, {}, "called from inside the same pit, which would wait for itself"};
      default:
        return {SYMPHONY_OVERLOADED, 0, {}, "too many calls wait for this pit: try later, or raise queue_max"};
    }
  }

  std::shared_ptr<void> keep_;  // first, so that it goes last: the members below use what it keeps
  Executor& executor_;
  std::unique_ptr<Instance>& instance_;
  std::unique_ptr<CallTask> task_;
  Executor::Seat seat_;
  std::uint64_t last_id_ = 0;
  std::uint64_t ended_ = 0;
};

InstanceOptions instance_options(const StaticOptions& options) {
  return {options.config, options.log, options.seed, options.extensions};
}

}  // namespace

StaticHost::StaticHost(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
StaticHost::~StaticHost() = default;

Outcome StaticHost::mount(const symphony_pit_entry& entry, const StaticOptions& options,
                          std::unique_ptr<StaticHost>& out) {
  auto core = std::make_shared<Core>(entry, options);
  if (Outcome o = make_running(entry, instance_options(core->options), options.restore, core->instance); !o.ok()) {
    return o;
  }
  core->options.restore = nullptr;
  core->info = core->instance->info();
  out.reset(new StaticHost(std::move(core)));
  return {};
}

const PitInfo& StaticHost::info() const noexcept { return core_->info; }

Outcome StaticHost::open(std::unique_ptr<Link>& out) {
  auto seat = core_->executor.make_seat();
  if (!seat) return {SYMPHONY_OVERLOADED, seat.error().text};
  out = std::make_unique<StaticLink>(core_, core_->executor, core_->instance, std::move(*seat));
  return {};
}

Outcome StaticHost::snapshot(Snapshot& out) {
  return run_control(core_->executor, [&] { return core_->instance->snapshot(out); });
}

Outcome StaticHost::restore(const Snapshot& from) {
  return run_control(core_->executor, [&]() -> Outcome {
    if (core_->instance->state() != State::running) {
      return {SYMPHONY_BAD_STATE, "the host misbehaved: restore of pit '" + core_->info.name + "' in state " +
                                      std::string(to_string(core_->instance->state())) + ": legal in RUNNING"};
    }
    return make_running(core_->entry, instance_options(core_->options), &from, core_->instance);
  });
}

Outcome StaticHost::drain(TimeNs deadline_ns) {
  return run_control(core_->executor, [&] { return core_->instance->drain(envelope_deadline(deadline_ns)); });
}

Outcome StaticHost::start() {
  return run_control(core_->executor, [&] { return core_->instance->start(); });
}

Outcome StaticHost::stop() {
  return run_control(core_->executor, [&] { return core_->instance->stop(); });
}

}  // namespace symphony::pit
