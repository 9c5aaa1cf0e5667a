#include "pits/hosting/instance.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <symphony/clock.hpp>
#include <utility>

namespace symphony::pit {
namespace {

constexpr std::uint32_t bit(State state) noexcept { return 1U << static_cast<unsigned>(state); }

std::uint64_t chosen_seed() noexcept {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof seed)) {
    seed = static_cast<std::uint64_t>(now_ns());
  }
  return seed | 1;
}

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::created:
      return "CREATED";
    case State::inited:
      return "INITED";
    case State::running:
      return "RUNNING";
    case State::drained:
      return "DRAINED";
    case State::stopped:
      return "STOPPED";
    case State::trapped:
      return "TRAPPED";
  }
  return "?";
}

struct Instance::Rule {
  std::string_view name;
  std::uint32_t legal;  // a bit for each state
  std::string_view legal_text;
};

const Instance::Rule& Instance::rule(Step step) noexcept {
  static constexpr std::array<Rule, 8> rules{{
      {"init", bit(State::created), "CREATED"},
      {"start", bit(State::inited) | bit(State::drained), "INITED or DRAINED"},
      {"handle", bit(State::running), "RUNNING"},
      {"drain", bit(State::running), "RUNNING"},
      {"snapshot", bit(State::running) | bit(State::drained), "RUNNING or DRAINED"},
      {"restore", bit(State::inited), "INITED"},
      {"stop", bit(State::drained), "DRAINED"},
      {"timer", bit(State::running), "RUNNING"},
  }};
  return rules[static_cast<std::size_t>(step)];
}

Instance::Instance(const InstanceOptions& options)
    : log_(options.log),
      extensions_(options.extensions),
      seed_(options.seed != 0 ? options.seed : chosen_seed()),
      random_state_(seed_),
      services_(options.services) {
  host_.struct_size = sizeof host_;
  host_.abi_major = SYMPHONY_ABI_MAJOR;
  host_.abi_minor = SYMPHONY_ABI_MINOR;
  host_.context = this;
  host_.log = &on_log;
  host_.now = &on_now;
  host_.claim = &on_claim;
  host_.commit = &on_commit;
  host_.error = &on_error;
  host_.random = &on_random;
  host_.get_extension = &on_get_extension;
  host_.publish = &on_publish;
  host_.call_async = &on_call_async;
  host_.timer_set = &on_timer_set;
  host_.timer_cancel = &on_timer_cancel;
  host_.cancelled = &on_cancelled;
  host_.mark_dirty = &on_mark_dirty;
  host_.reply = &on_reply;
}

Outcome Instance::make(const symphony_pit_entry& entry, const InstanceOptions& options,
                       std::unique_ptr<Instance>& out) {
  std::unique_ptr<Instance> made(new Instance(options));
  if (Outcome read = read_entry(entry, made->table_, made->info_); !read.ok()) return read;
  if (options.seed == 0) made->write_log(SYMPHONY_LOG_DEBUG, "random seed " + std::to_string(made->seed_));

  const symphony_span config{reinterpret_cast<const std::uint8_t*>(options.config.data()),
                             static_cast<std::uint32_t>(options.config.size()), 0};
  void* self = nullptr;
  std::int32_t status = SYMPHONY_OK;
  {
    const Entered inside(*made);
    status = made->table_.create(&made->host_, config, &self);
  }
  if (status != SYMPHONY_OK) return made->outcome_of(status, "create");
  if (self == nullptr) {
    made->blame_pit("create() returned success without an instance");
    return {SYMPHONY_INTERNAL,
            "pit '" + made->info_.name + "' misbehaved: create() returned success without an instance"};
  }
  made->self_ = self;
  out = std::move(made);
  return {};
}

Instance::~Instance() {
  if (self_ != nullptr) {
    const Entered inside(*this);
    table_.destroy(self_);
  }
  end_pending(SYMPHONY_CRASHED_ACCEPTED, "the pit had accepted this call; its instance went before it answered");
}

// True: the instance trapped, and is not entered again.
bool Instance::note_trap(std::int32_t status) noexcept {
  if (status != SYMPHONY_TRAPPED) return false;
  state_ = State::trapped;
  end_pending(SYMPHONY_TRAPPED, "the pit had accepted this call; its instance trapped before it answered");
  return true;
}

bool Instance::allowed(Step step) const noexcept { return !entered_ && (rule(step).legal & bit(state_)) != 0; }

Outcome Instance::refuse(Step step) {
  const Rule& broken = rule(step);
  std::string text = "the host misbehaved: " + std::string(broken.name) + " of pit '" + info_.name + "' ";
  if (entered_) {
    text += "from inside a call of the same instance";
  } else {
    text += "in state " + std::string(to_string(state_)) + ": legal in " + std::string(broken.legal_text);
  }
  write_log(SYMPHONY_LOG_ERROR, text);
  return {SYMPHONY_BAD_STATE, std::move(text)};
}

Outcome Instance::outcome_of(std::int32_t status, std::string_view what) {
  if (status == SYMPHONY_OK) return {};
  std::string text = "pit '" + info_.name + "': " + std::string(what) + " failed";
  if (reason_size_ > 0) text.append(": ").append(reason());
  return {status, std::move(text)};
}

template <class Call>
Outcome Instance::take(Step step, State next, Call&& call) {
  if (!allowed(step)) return refuse(step);
  std::int32_t status = SYMPHONY_OK;
  {
    const Entered inside(*this);
    status = call();
  }
  if (status == SYMPHONY_OK) {
    state_ = next;
  } else {
    note_trap(status);
  }
  return outcome_of(status, rule(step).name);
}

Outcome Instance::init() {
  return take(Step::init, State::inited, [&] { return table_.init != nullptr ? table_.init(self_) : SYMPHONY_OK; });
}

Outcome Instance::start() {
  return take(Step::start, State::running, [&] { return table_.start != nullptr ? table_.start(self_) : SYMPHONY_OK; });
}

Outcome Instance::drain(std::uint64_t deadline_ns) {
  return take(Step::drain, State::drained,
              [&] { return table_.drain != nullptr ? table_.drain(self_, deadline_ns) : SYMPHONY_OK; });
}

Outcome Instance::stop() {
  return take(Step::stop, State::stopped, [&] { return table_.stop != nullptr ? table_.stop(self_) : SYMPHONY_OK; });
}

Outcome Instance::under_way() const {
  if (pending() == 0 && calls() == 0) return {};
  return {SYMPHONY_OVERLOADED, "pit '" + info_.name + "' is busy: " + std::to_string(pending()) +
                                   " requests wait for its reply, " + std::to_string(calls()) +
                                   " calls of its own for an answer"};
}

std::span<const std::byte> Instance::aligned_copy(std::span<const std::byte> body) {
  aligned_body_.resize((body.size() + 7) / 8);
  std::memcpy(aligned_body_.data(), body.data(), body.size());
  return {reinterpret_cast<const std::byte*>(aligned_body_.data()), body.size()};
}

// Whether the pit is to see the request; if not, it has ended. `body` is aligned then.
bool Instance::may_handle(const symphony_envelope& envelope, std::span<const std::byte>& body,
                          ReplySink& sink) noexcept {
  if (!allowed(Step::handle)) {
    try {
      const Outcome refused = refuse(Step::handle);
      sink.fail(refused.status, refused.text);
    } catch (const std::bad_alloc&) {
      sink.fail(SYMPHONY_BAD_STATE, "the pit is not RUNNING");
    }
    return false;
  }
  if (envelope.deadline_ns != 0 && replayed_ == nullptr &&
      static_cast<std::uint64_t>(coarse_now_ns()) >= envelope.deadline_ns) {
    sink.fail(SYMPHONY_DEADLINE, "the deadline had passed before the pit could begin");
    return false;
  }
  if (body.size() > UINT32_MAX) {
    sink.fail(SYMPHONY_TOO_LARGE, "the request's body is 4 GiB or more: send it in parts");
    return false;
  }
  try {
    body = aligned(body);
  } catch (const std::bad_alloc&) {
    sink.fail(SYMPHONY_OVERLOADED, "no memory for a copy of the request: pass an 8-byte aligned body");
    return false;
  }
  return true;
}

void Instance::end_request(std::int32_t status, std::uint64_t request, ReplySink& sink) noexcept {
  note_trap(status);
  if (committed_) {
    if (status != SYMPHONY_OK) blame_pit("handle() committed a reply and then failed; the reply stands");
    return sink.commit(used_, type_);
  }
  if (status == SYMPHONY_OK) return sink.commit(0, 0);
  if (status == SYMPHONY_PENDING) return defer(request, sink);
  sink.fail(status, reason());
}

Outcome Instance::snapshot(Snapshot& out) {
  if (!allowed(Step::snapshot)) return refuse(Step::snapshot);
  if (table_.snapshot == nullptr) return {SYMPHONY_VERSION, "pit '" + info_.name + "' keeps no snapshots"};
  struct Target {
    Instance* instance;
    std::vector<std::byte> bytes;
  } target{this, {}};
  const symphony_sink to{sizeof(symphony_sink), 0, &target, [](void* context, symphony_span span) -> std::int32_t {
                           auto& into = *static_cast<Target*>(context);
                           if (span.p == nullptr && span.n > 0) {
                             into.instance->blame_pit("snapshot() wrote from a null pointer");
                             return SYMPHONY_BAD_MESSAGE;
                           }
                           if (into.bytes.size() + span.n > snapshot_size_max) return SYMPHONY_TOO_LARGE;
                           const auto* at = reinterpret_cast<const std::byte*>(span.p);
                           try {
                             into.bytes.insert(into.bytes.end(), at, at + span.n);
                           } catch (const std::bad_alloc&) {
                             return SYMPHONY_OVERLOADED;
                           }
                           return SYMPHONY_OK;
                         }};
  Outcome taken = take(Step::snapshot, state_, [&] { return table_.snapshot(self_, info_.state_revision, &to); });
  if (!taken.ok()) return taken;
  out = {info_.state_revision, std::move(target.bytes), {}};
  const TimeNs now = clock_ns();
  for (const auto& [id, due_ns] : timers_.all()) out.timers.push_back({id, due_ns - now});
  return taken;
}

Outcome Instance::restore(const Snapshot& from, std::uint32_t read_size_max) {
  if (!allowed(Step::restore)) return refuse(Step::restore);
  if (table_.restore == nullptr) return {SYMPHONY_VERSION, "pit '" + info_.name + "' restores no snapshots"};
  if (from.revision < info_.state_revision_min || from.revision > info_.state_revision) {
    return {SYMPHONY_VERSION,
            "pit '" + info_.name + "' restores snapshots of revision " + std::to_string(info_.state_revision_min) +
                " to " + std::to_string(info_.state_revision) + ", and this one has " + std::to_string(from.revision)};
  }
  struct Origin {
    std::span<const std::byte> left;
    std::uint32_t read_size_max;
  } origin{from.bytes, std::max(read_size_max, 1U)};
  const symphony_source source{sizeof(symphony_source), 0, &origin,
                               [](void* context, symphony_mut_span out) -> std::int64_t {
                                 auto& at = *static_cast<Origin*>(context);
                                 const std::size_t n = std::min<std::size_t>({at.left.size(), out.n, at.read_size_max});
                                 if (n > 0) std::memcpy(out.p, at.left.data(), n);
                                 at.left = at.left.subspan(n);
                                 return static_cast<std::int64_t>(n);
                               }};
  if (from.timers.size() > SYMPHONY_TIMERS_MAX) {
    return {SYMPHONY_BAD_MESSAGE, "the snapshot has more timers than an instance may have"};
  }
  Outcome restored = take(Step::restore, state_, [&] { return table_.restore(self_, from.revision, &source); });
  if (!restored.ok()) return restored;
  const TimeNs now = clock_ns();
  for (const ArmedTimer& timer : from.timers) (void)timers_.set(timer.id, now + timer.remaining_ns);
  tell_due();
  return restored;
}

}  // namespace symphony::pit
