#include "pits/hosting/process/runtime.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include <symphony/service.hpp>

#include "bus/state/handover.hpp"
#include "pits/hosting/durable/durable_pit.hpp"
#include "pits/hosting/durable/handed_state.hpp"
#include "pits/hosting/instance.hpp"
#include "pits/hosting/note.hpp"
#include "pits/hosting/process/own_calls.hpp"
#include "pits/hosting/process/ring_sink.hpp"
#include "pits/hosting/process/runtime_protocol.hpp"
#include "pits/hosting/process/snapshot_frame.hpp"

namespace symphony::pit {
namespace {

static_assert(sizeof(symphony_envelope) == sizeof(Envelope));
static_assert(offsetof(symphony_envelope, deadline_ns) == offsetof(Envelope, deadline_ns));
static_assert(offsetof(symphony_envelope, type) == offsetof(Envelope, type));
static_assert(offsetof(symphony_envelope, flags) == offsetof(Envelope, flags));
static_assert(offsetof(symphony_envelope, attempt) == offsetof(Envelope, attempt));
static_assert(SYMPHONY_CRASHED == status::crashed && SYMPHONY_POISONED == status::poisoned);
static_assert(SYMPHONY_BAD_STATE == status::bad_state && SYMPHONY_UNREACHABLE == status::unreachable);
static_assert(SYMPHONY_OVERLOADED == status::overloaded && SYMPHONY_PEER_FAULT == status::peer_fault);

class StderrLog final : public LogSink {
 public:
  void write(std::int32_t level, std::string_view pit, std::string_view line) noexcept override {
    if (level <= SYMPHONY_LOG_DEBUG && !debug_) return;
    static constexpr const char* names[] = {"debug", "info", "warning", "error"};
    const auto index = static_cast<std::size_t>(std::clamp<std::int32_t>(level, 0, 3));
    std::fprintf(stderr, "%.*s: %s: %.*s\n", static_cast<int>(pit.size()), pit.data(), names[index],
                 static_cast<int>(line.size()), line.data());
  }

 private:
  const bool debug_ = std::getenv("SYMPHONY_PIT_DEBUG") != nullptr;
};

class Runtime final : public RequestHandler, private InstanceServices, private DurableOwner {
 public:
  Runtime(const symphony_pit_entry& entry, std::string_view config, ExceptionStorm storm)
      : entry_(entry), config_(config), storm_(std::move(storm)) {}

  // Whether an instance can be made at all, before the one that serves is asked to stand still.
  Outcome rehearse() {
    std::unique_ptr<Instance> made;
    return make_inited(nullptr, made);
  }
  // The same with a copy of the state of the one that serves: whether it comes out of this build as it went in.
  Outcome rehearse_with(UniqueFd copy, TimeNs& took_ns) {
    const auto copied = detail::StateMemory::copy_of_live(copy);
    if (!copied) return {SYMPHONY_OVERLOADED, copied.error().text};
    std::unique_ptr<Instance> first, second;
    if (Outcome o = make_inited(nullptr, first); !o.ok()) return o;
    StateFrame frame;
    if (Outcome o = read_handed_state(*copied, first->info().name, frame); !o.ok()) return o;
    Snapshot again;
    if (Outcome o = restored(*first, frame.snapshot, again, took_ns); !o.ok()) return o;
    if (again.revision == frame.snapshot.revision) return difference(frame.snapshot.bytes, again.bytes);
    // Another format: it is held against itself.
    if (Outcome o = make_inited(nullptr, second); !o.ok()) return o;
    Snapshot third;
    TimeNs ignored = 0;
    if (Outcome o = restored(*second, again, third, ignored); !o.ok()) return o;
    return difference(again.bytes, third.bytes);
  }
  // With the memory for its state, and what is there of it; null: neither.
  Outcome start(const detail::StateHandover* handover) {
    if (handover == nullptr) return make(nullptr, instance_);
    detail::StateMemory old;
    if (handover->old_fd >= 0) {
      UniqueFd left(handover->old_fd);
      auto mapped = handover->is_live ? detail::StateMemory::copy_of_live(left)
                                      : detail::StateMemory::map_old(std::move(left), handover->is_file);
      if (!mapped) return {SYMPHONY_OVERLOADED, mapped.error().text};
      old = *std::move(mapped);
    }
    if (handover->policy.durability == Durability::none) return take_over(old);
    auto own = detail::StateMemory::map_own(
        UniqueFd(handover->own_fd), {handover->policy.snapshot_size_max, handover->policy.journal_size},
        handover->is_file && handover->policy.is_synced, handover->policy.durability == Durability::journal);
    if (!own) return {SYMPHONY_OVERLOADED, own.error().text};
    const auto make_instance = [this](InstanceServices* services, std::unique_ptr<Instance>& out) {
      return make_inited(services, out);
    };
    return DurablePit::make(make_instance, *this, handover->policy, *std::move(own),
                            handover->old_fd >= 0 ? &old : nullptr, &log_, durable_);
  }
  // Before the first request. The service outlives the runtime's part in it: end_calls().
  void use(Service& service) {
    service_ = &service;
    later_.use(service);
    calls_.emplace(service);
    if (durable_) durable_->resume();
  }
  void end_calls() noexcept { calls_.reset(); }
  [[nodiscard]] const Instance& instance() const noexcept { return durable_ ? durable_->instance() : *instance_; }

  // Of a state that outlives this it is no part: the next instance goes on from before it.
  void finish() {
    if (durable_) report(durable_->keep());
    Instance& ending = durable_ ? durable_->instance() : *instance_;
    if (ending.state() == State::running) report(ending.drain(0));
    if (ending.state() == State::drained) report(ending.stop());
  }

  TimeNs next_due_ns() const noexcept override {
    if (durable_) [[unlikely]]
      return answers_.empty() ? durable_->next_due_ns() : std::min(durable_->next_due_ns(), durable_->retry_ns());
    return instance_->is_fed() ? no_deadline_ns : instance_->next_timer_ns();
  }
  void on_nudge() noexcept override {
    try {
      for (OwnCalls::Answer& a : calls_->take_answers()) answers_.push_back(std::move(a));
    } catch (const std::bad_alloc&) {
      // They are still there, for the next nudge.
    }
    give_answers();
  }
  void give_answers() noexcept {
    for (; !answers_.empty(); answers_.pop_front()) {
      const OwnCalls::Answer& a = answers_.front();
      if (!durable_) {
        instance_->answer(a.cookie, a.status, a.type, a.body);
      } else if (!durable_->answer(a.cookie, a.status, a.type, a.body)) {
        return;  // there is no room to keep it: again at retry_ns()
      }
    }
  }
  void on_due(TimeNs now) noexcept override {
    for (int i = 0; i < timers_per_turn_max && (durable_ ? durable_->run_timer(now) : instance_->run_timer(now)); ++i) {
    }
    if (durable_) durable_->run_snapshot_if_due(now);
    give_answers();
  }
  std::uint64_t last_id(std::uint64_t link) const noexcept override { return durable_ ? durable_->last_id(link) : 0; }
  void on_attached(std::uint64_t link) noexcept override {
    if (durable_) durable_->attached(link);
  }
  void on_gone(std::uint64_t link) noexcept override {
    outgoing_.erase(link);
    if (durable_) durable_->gone(link);
  }
  void on_later_written(std::uint64_t link, std::uint64_t id) noexcept override {
    if (durable_) durable_->on_delivered(link, id);
  }

  Freezing freeze(UniqueFd& memory, std::string& why) override {
    if (memory) handed_ = std::move(memory);
    if (durable_) {
      why = "it waits for the answer to a call of its own that may run only once";
      if (durable_->waits_for_once()) return Freezing::settles;
      return frozen_if(durable_->keep(), why);
    }
    why = "requests wait for a later answer, which goes with a pit whose durability is none: give it another";
    if (!later_.empty()) return Freezing::settles;
    why = "it waits for the answer to a call of its own, which goes with a pit whose durability is none";
    if (instance_->memory().calls != 0) return Freezing::settles;
    why = "a caller does not read its replies";
    if (!service_->flush_replies(*this)) return Freezing::settles;
    return frozen_if(write_handed_state(*instance_, std::exchange(handed_, UniqueFd())), why);
  }
  bool write_copy(UniqueFd memory, std::string& why) override {
    Outcome written = write_handed_state(durable_ ? durable_->instance() : *instance_, std::move(memory));
    why = std::move(written.text);
    return written.ok();
  }
  static Freezing frozen_if(Outcome outcome, std::string& why) {
    why = std::move(outcome.text);
    return outcome.ok() ? Freezing::frozen : Freezing::failed;
  }

  void on_request(const symphony::Request& request, ReplyWriter& reply) noexcept override {
    try {
      switch (request.envelope.type) {
        case runtime::type_info:
          return put(reply, write_note(instance().info()));
        case runtime::type_step:
          return end(reply, step(request.body));
        case runtime::type_snapshot:
          return on_snapshot(request.link, request.body, reply);
        case runtime::type_restore:
          return end(reply, restore(request.body));
        case runtime::type_feed:
          return end(reply, feed(request.body));
        default:
          break;
      }
    } catch (const std::bad_alloc&) {
      return reply.fail(SYMPHONY_OVERLOADED, "the pit runtime has no memory for this");
    }
    const auto envelope = std::bit_cast<symphony_envelope>(request.envelope);
    if (durable_) [[unlikely]] {
      DurableRingSink sink(reply);
      durable_->handle(request.link, envelope, request.body, sink);
      if (sink.has_thrown()) note_exception();
      return;
    }
    RingSink sink(reply, later_);
    instance_->handle(envelope, request.body, sink);
    if (sink.has_thrown()) [[unlikely]]
      note_exception();
  }
  [[nodiscard]] bool is_in_storm() const noexcept { return storm_.is_one(); }
  [[nodiscard]] std::size_t storm_max() const noexcept { return storm_.max(); }

 private:
  // What waits goes to the next instance, as at each death.
  void note_exception() noexcept {
    if (!storm_.is_one() && storm_.add(now_ns())) service_->stop();
  }
  // With the clock and the random() of the one that is there, if those were fed.
  Outcome make_inited(InstanceServices* services, std::unique_ptr<Instance>& out) {
    if (Outcome o = Instance::make(entry_, {.config = config_, .services = services, .log = &log_}, out); !o.ok())
      return o;
    if (instance_ != nullptr && instance_->is_fed()) out->feed(instance_->seed(), instance_->clock_ns());
    return out->init();
  }
  Outcome make(const Snapshot* from, std::unique_ptr<Instance>& out) {
    std::unique_ptr<Instance> made;
    if (Outcome o = make_inited(this, made); !o.ok()) return o;
    if (from != nullptr) {
      if (Outcome o = made->restore(*from); !o.ok()) return o;
    }
    if (Outcome o = made->start(); !o.ok()) return o;
    out = std::move(made);
    return {};
  }

  static Outcome restored(Instance& by, const Snapshot& from, Snapshot& again, TimeNs& took_ns) {
    const TimeNs begun = now_ns();
    if (Outcome o = by.restore(from); !o.ok()) return o;
    if (Outcome o = by.start(); !o.ok()) return o;
    took_ns = now_ns() - begun;
    return by.snapshot(again);
  }
  static Outcome difference(std::span<const std::byte> before, std::span<const std::byte> after) {
    if (std::ranges::equal(before, after)) return {};
    const auto at = std::ranges::mismatch(before, after).in1 - before.begin();
    return {SYMPHONY_BAD_STATE, "restored, its state is another: of " + std::to_string(before.size()) + " and " +
                                    std::to_string(after.size()) + " bytes, which differ from byte " +
                                    std::to_string(at) + " on"};
  }

  Outcome take_over(const detail::StateMemory& old) {
    std::unique_ptr<Instance> made;
    if (Outcome o = make_inited(this, made); !o.ok()) return o;
    StateFrame frame;
    if (Outcome o = read_handed_state(old, made->info().name, frame); !o.ok()) return o;
    if (Outcome o = made->restore(frame.snapshot); !o.ok()) return o;
    if (Outcome o = made->start(); !o.ok()) return o;
    if (frame.drained) {
      if (Outcome o = made->drain(0); !o.ok()) return o;
    }
    made->set_memory(frame.memory, {});
    instance_ = std::move(made);
    return {};
  }

  // A pit that calls in its start() does so before there is a broker to ask.
  std::int32_t call_async(const AsyncCall& call) noexcept override {
    return calls_ ? calls_->post(call) : SYMPHONY_UNREACHABLE;
  }
  std::int32_t publish(std::uint32_t, std::span<const std::byte>) noexcept override { return SYMPHONY_DENIED; }
  void timer_due(TimeNs) noexcept override {}  // asked for before each wait

  // What a durable pit asks of its process.
  Delivered deliver(const Owed& ending) noexcept override {
    const LaterReply to{ending.link, 0, ending.id};
    if (service_ == nullptr) return Delivered::absent;
    LaterOutcome outcome = service_->reply(to, ending.status, ending.type, ending.body);
    if (outcome == LaterOutcome::refused) outcome = service_->reply(to, SYMPHONY_OVERLOADED, 0, {});
    return outcome == LaterOutcome::written  ? Delivered::written
           : outcome == LaterOutcome::queued ? Delivered::queued
                                             : Delivered::absent;
  }
  void post(const OwnCall& call) noexcept override {
    if (calls_) calls_->post_or_end({call.service, call.type, call.effect, call.body, call.deadline_ns, call.cookie});
  }

  static Outcome malformed() { return {SYMPHONY_BAD_MESSAGE, "a message to the pit runtime is malformed"}; }

  Outcome step(std::span<const std::byte> body) {
    const auto head = runtime::read_head<runtime::StepBody>(body);
    if (!head) return malformed();
    switch (head->step) {
      case runtime::Step::drain:
        return durable_ ? durable_->drain(head->deadline_ns) : instance_->drain(head->deadline_ns);
      case runtime::Step::start:
        return durable_ ? durable_->start() : instance_->start();
      case runtime::Step::stop:
        return durable_ ? durable_->stop() : instance_->stop();
      case runtime::Step::rest:
        if (Outcome busy = instance().under_way(); !busy.ok()) return busy;
        return durable_ ? durable_->drain(head->deadline_ns) : instance_->drain(head->deadline_ns);
    }
    return malformed();
  }

  Outcome feed(std::span<const std::byte> body) {
    const auto head = runtime::read_head<runtime::FeedBody>(body);
    if (!head || head->seed == 0 || head->now_ns == 0 || head->now_ns >= static_cast<std::uint64_t>(no_deadline_ns)) {
      return malformed();
    }
    const auto now = static_cast<TimeNs>(head->now_ns);
    if (durable_) return durable_->feed(head->seed, now);
    instance_->feed(head->seed, now);
    for (int i = 0; i < SYMPHONY_TIMERS_MAX && instance_->run_timer(now); ++i) {
    }
    return {};
  }

  void on_snapshot(std::uint64_t link, std::span<const std::byte> body, ReplyWriter& reply) {
    const auto head = runtime::read_head<runtime::SnapshotBody>(body);
    if (!head) return end(reply, malformed());
    if (head->offset == 0) {
      Snapshot taken;
      if (const Outcome o = (durable_ ? durable_->instance() : *instance_).snapshot(taken); !o.ok())
        return end(reply, o);
      if (outgoing_.size() >= outgoing_max && !outgoing_.contains(link)) outgoing_.erase(outgoing_.begin());
      outgoing_[link] = {++outgoing_number_, taken.revision, runtime::write_frame(taken)};
    }
    const auto found = outgoing_.find(link);
    if (found == outgoing_.end() || (head->offset != 0 && head->number != found->second.number) ||
        head->offset > found->second.frame.size()) {
      return end(reply, {SYMPHONY_BAD_STATE, "this snapshot is not kept any more: begin anew"});
    }
    const auto& [number, revision, frame] = found->second;
    const auto rest = std::span(frame).subspan(head->offset);
    const auto chunk = rest.first(std::min<std::size_t>(rest.size(), runtime::chunk_size_max));
    const runtime::ChunkHead answer{revision, number, frame.size()};
    std::vector<std::byte> bytes(sizeof answer + chunk.size());
    std::memcpy(bytes.data(), &answer, sizeof answer);
    if (!chunk.empty()) std::memcpy(bytes.data() + sizeof answer, chunk.data(), chunk.size());
    put(reply, bytes);
    if (chunk.size() == rest.size()) outgoing_.erase(found);  // read to its end
  }

  Outcome restore(std::span<const std::byte> body) {
    const auto head = runtime::read_head<runtime::RestoreHead>(body);
    if (!head || head->resumes > 1) return malformed();
    // As the modes that run a pit in their own process say it: a drained or stopped pit is not started behind its
    // host's back.
    const State state = instance().state();
    const bool is_resumed = head->resumes == 1 && state == State::drained;
    if (!is_resumed && state != State::running && state != State::trapped) {
      return {SYMPHONY_BAD_STATE, "the host misbehaved: restore of pit '" + instance().info().name + "' in state " +
                                      std::string(to_string(state)) + ": legal in RUNNING"};
    }
    if (head->offset == 0) incoming_.clear();
    const auto chunk = body.subspan(sizeof *head);
    if (head->offset != incoming_.size() || head->total > runtime::frame_size_max ||
        chunk.size() > head->total - head->offset) {
      incoming_ = {};
      return malformed();
    }
    incoming_.insert(incoming_.end(), chunk.begin(), chunk.end());
    if (incoming_.size() != head->total) return {};
    const auto whole = runtime::read_frame(head->revision, incoming_);
    incoming_ = {};
    if (!whole) return malformed();
    return durable_ ? durable_->restore(*whole) : make(&*whole, instance_);
  }

  static void put(ReplyWriter& reply, std::span<const std::byte> bytes) {
    const auto out = reply.claim(static_cast<std::uint32_t>(bytes.size()));
    if (out.size() < bytes.size()) return reply.fail(SYMPHONY_TOO_LARGE, "the answer does not fit the link");
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    reply.commit(static_cast<std::uint32_t>(bytes.size()), 0);
  }
  static void end(ReplyWriter& reply, const Outcome& outcome) {
    if (outcome.ok()) {
      reply.commit(0, 0);
    } else {
      reply.fail(outcome.status, outcome.text);
    }
  }
  void report(const Outcome& outcome) {
    if (!outcome.ok()) log_.write(SYMPHONY_LOG_WARNING, instance().info().name, outcome.text);
  }

  const symphony_pit_entry& entry_;
  std::string config_;
  StderrLog log_;
  LaterSinks later_;
  ExceptionStorm storm_;
  std::optional<OwnCalls> calls_;
  Service* service_ = nullptr;
  std::deque<OwnCalls::Answer> answers_;  // that came and were not given to the pit yet
  std::unique_ptr<Instance> instance_;    // one of the two
  std::unique_ptr<DurablePit> durable_;
  // Being read by hosts, one a link. Of those that gave up, as many stay as the bound allows.
  struct Outgoing {
    std::uint32_t number = 0;
    std::uint32_t revision = 0;
    std::vector<std::byte> frame;
  };
  static constexpr std::size_t outgoing_max = 8;
  static constexpr int timers_per_turn_max = 64;  // then the links have a turn
  std::map<std::uint64_t, Outgoing> outgoing_;
  std::uint32_t outgoing_number_ = static_cast<std::uint32_t>(now_ns());  // differs from that of an instance before
  UniqueFd handed_;                                                       // to be written to when it is frozen
  std::vector<std::byte> incoming_;                                       // a frame, being written by one
};

}  // namespace

int run_pit(const symphony_pit_entry& entry, RuntimeOptions options) {
  Runtime runtime(entry, options.config, std::move(options.storm));
  const auto not_started = [](const Outcome& o) {
    std::fprintf(stderr, "pit runtime: the pit did not start: %s (status %d)\n", o.text.c_str(), o.status);
    return o.status == SYMPHONY_OVERLOADED ? exit_try_again : exit_permanent;
  };
  if (options.state && options.state->waits) {
    if (const Outcome o = runtime.rehearse(); !o.ok()) return not_started(o);
    const auto rehearse = [&](UniqueFd copy, std::string& why, TimeNs& took_ns) {
      Outcome o = runtime.rehearse_with(std::move(copy), took_ns);
      why = std::move(o.text);
      return o.ok();
    };
    if (const auto ready = Service::await_state(options.control_socket, rehearse); !ready) {
      std::fprintf(stderr, "pit runtime: %s\n", ready.error().text);
      return ready.error().code == errc::closed ? exit_finished : exit_try_again;
    }
  }
  if (const Outcome o = runtime.start(options.state ? &*options.state : nullptr); !o.ok()) return not_started(o);
  const PitInfo& info = runtime.instance().info();
  sandbox::Confinement* const walls = options.confinement;
  const auto refused = [&] {
    std::fprintf(stderr, "pit runtime: %s: its sandbox: %s\n", info.name.c_str(), walls->refusal().c_str());
    return exit_permanent;
  };
  if (walls != nullptr && !walls->close_files()) return refused();
  std::function<result<SandboxBlocks>()> confine;
  if (walls != nullptr) {
    confine = [walls]() -> result<SandboxBlocks> {
      if (!walls->finish()) return unexpected(errc::refused, "the sandbox that it must have cannot be closed");
      return walls->reached();
    };
  }
  auto service = Service::adopt(std::move(options.control_socket),
                                {.name = info.name,
                                 .version = info.version,
                                 .reply_size_max = std::max(info.reply_size_max, runtime::reply_size_min),
                                 .waiting = options.waiting,
                                 .placement = options.placement,
                                 .confine = std::move(confine)});
  if (!service && service.error().code == errc::refused) return refused();
  if (!service) {
    std::fprintf(stderr, "pit runtime: %s: %s\n", info.name.c_str(), service.error().text);
    return exit_try_again;
  }
  runtime.use(*service);
  service->run(runtime);
  runtime.end_calls();
  runtime.finish();
  if (runtime.is_in_storm()) {
    std::fprintf(stderr,
                 "pit runtime: %s: its handlers threw %zu times in a short time, which its manifest calls a failure\n",
                 info.name.c_str(), runtime.storm_max());
    return exit_storm;
  }
  return exit_finished;
}

}  // namespace symphony::pit
