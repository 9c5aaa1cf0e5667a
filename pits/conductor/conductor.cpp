#include <symphony/conductor.hpp>

#include <utility>

#include <symphony/operator.hpp>

#include "pits/conductor/mounts.hpp"
#include "pits/conductor/swap.hpp"
#include "pits/conductor/way.hpp"
#include "pits/hosting/durable/in_process_keeper.hpp"
#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/process/sharded_host.hpp"
#include "pits/hosting/service_thread.hpp"
#include "pits/hosting/shard_key.hpp"
#include "pits/hosting/static/static_host.hpp"
#include "pits/hosting/thread_links.hpp"
#include "pits/hosting/wasm/wasm_host.hpp"

namespace symphony {
namespace {

StepResult step(pit::Outcome outcome) { return {outcome.status, std::move(outcome.text)}; }

StepResult not_mounted(std::string_view name) {
  return {status::unreachable, "no pit is mounted as '" + std::string(name) + "': mount it first"};
}

StepResult taken(std::string_view name) {
  return {status::bad_state, "a pit is mounted as '" + std::string(name) + "' already: unmount it first"};
}

// What only replays and operators do, and no instance on probation is to be judged by.
pit::Outcome on_probation() {
  return {SYMPHONY_BAD_STATE, "the pit was swapped and its new instance is on probation: try again when that is over"};
}
bool is_on_probation(conductor::Route::Word word) { return (word & conductor::Route::probation_bit) != 0; }

std::string broker_name_of(std::string_view name, const MountOptions& options) {
  if (options.mode != Mode::process) return {};
  return options.broker_name.empty() ? std::string(name) : options.broker_name;
}

pit::OverrunOptions overrun_of(const MountOptions& options) noexcept {
  return {options.budget_ms, options.abort_on_overrun};
}

template <class AnyLink>
Reply made_by(AnyLink& link, std::uint64_t key, std::uint32_t type, std::span<const std::byte> body,
              const CallOptions& options) noexcept {
  const pit::Reply reply =
      link.call({type, static_cast<std::uint32_t>(options.effect), body, coarse_deadline(options), key});
  return {.status = reply.status, .type = reply.type, .body = reply.body, .text = reply.text};
}
Reply not_open(const StepResult& why) noexcept {
  return {.status = why.ok() ? status::closed : why.status, .text = why.text};
}

}  // namespace

std::string_view to_string(Mode mode) noexcept {
  switch (mode) {
    case Mode::static_:
      return "static";
    case Mode::dynamic:
      return "dynamic";
    case Mode::wasm:
      return "wasm";
    case Mode::process:
      return "process";
  }
  return "?";
}

LoadedPits loaded_pits() noexcept {
  const pit::LibraryCounts counts = pit::library_counts();
  return {counts.loaded, counts.retired};
}

Caller::Caller() noexcept = default;
Caller::Caller(Caller&&) noexcept = default;
Caller& Caller::operator=(Caller&&) noexcept = default;
Caller::~Caller() = default;

Reply Caller::call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) noexcept {
  return way_ ? made_by(*way_, 0, type, body, options) : not_open(why_);
}
Reply Caller::call_for(std::string_view key, std::uint32_t type, std::span<const std::byte> body,
                       const CallOptions& options) noexcept {
  return way_ ? made_by(*way_, pit::key_of(key), type, body, options) : not_open(why_);
}

Caller::Tally Caller::tally() const noexcept {
  if (!way_) return {};
  const pit::Tally tally = way_->tally();
  return {tally.calls, tally.ended, tally.dropped};
}

Conductor::Conductor(Endpoint* endpoint, Operator* broker)
    : endpoint_(endpoint), broker_(broker), mounts_(std::make_shared<conductor::Mounts>()) {
  services_ = std::make_shared<pit::ServiceThread>(
      [weak = std::weak_ptr(mounts_)](std::string_view name, TimeNs deadline_ns,
                                      std::unique_ptr<pit::Link>& out) -> pit::Outcome {
        const auto mounts = weak.lock();
        auto route = mounts ? mounts->find(name) : nullptr;
        if (route == nullptr) return {SYMPHONY_UNREACHABLE, "no pit is mounted as '" + std::string(name) + "'"};
        std::unique_ptr<conductor::Way> way;
        pit::Outcome opened = conductor::Way::open(std::move(route), nullptr, deadline_ns, way);
        out = std::move(way);
        return opened;
      });
}
Conductor::~Conductor() = default;

StepResult Conductor::mount(std::string_view name, const MountOptions& options) {
  if (mounts_->find(name)) return taken(name);
  std::shared_ptr<pit::Host> host;
  if (StepResult made = make_host(name, options, host); !made.ok()) return made;
  auto route = std::make_shared<conductor::Route>(
      conductor::Route::Place{std::move(host), options.mode, broker_name_of(name, options)});
  return mounts_->add(name, std::move(route)) ? StepResult{} : taken(name);
}

StepResult Conductor::make_host(std::string_view name, const MountOptions& options, std::shared_ptr<pit::Host>& out) {
  std::shared_ptr<pit::StateKeeper> keeper;
  if (options.state.durability != Durability::none) {
    if (options.mode == Mode::process) {
      return {status::bad_state, "mount: a process pit's broker keeps its state: set `durability` in its manifest"};
    }
    if (auto made = pit::make_state_keeper(name, options.state, keeper); !made.ok()) return step(std::move(made));
  }
  switch (options.mode) {
    case Mode::static_:
      return make_static(options, std::move(keeper), out);
    case Mode::dynamic:
      return make_dynamic(options, std::move(keeper), out);
    case Mode::wasm:
      return make_wasm(options, std::move(keeper), out);
    case Mode::process:
      return make_process(broker_name_of(name, options), options, out);
  }
  return {status::bad_state, "mount: there is no such mode"};
}

StepResult Conductor::make_static(const MountOptions& options, std::shared_ptr<pit::StateKeeper> keeper,
                                  std::shared_ptr<pit::Host>& out) {
  if (options.entry == nullptr) {
    return {status::bad_state, "mount: a static pit needs its entry (SYMPHONY_DECLARE_PIT, symphony_pit_<name>())"};
  }
  symphony_pit_entry table;
  pit::PitInfo info;
  if (auto outcome = pit::read_entry(*options.entry, table, info); !outcome.ok()) return step(std::move(outcome));
  if (StepResult missing = check_needs(info); !missing.ok()) return missing;
  std::unique_ptr<pit::StaticHost> made;
  auto outcome = pit::StaticHost::mount(
      *options.entry,
      {.config = options.config, .services = services_, .overrun = overrun_of(options), .keeper = std::move(keeper)},
      made);
  out = std::move(made);
  return step(std::move(outcome));
}

StepResult Conductor::make_dynamic(const MountOptions& options, std::shared_ptr<pit::StateKeeper> keeper,
                                   std::shared_ptr<pit::Host>& out) {
  if (options.file.empty()) return {status::bad_state, "mount: a dynamic pit needs its file, the .so of the pit"};
  pit::PitFile file;
  if (auto outcome = pit::read_pit_file(options.file, file); !outcome.ok()) return step(std::move(outcome));
  // Before it is loaded: what is loaded stays.
  if (StepResult missing = check_needs(file.notes[0].info); !missing.ok()) return missing;
  std::unique_ptr<pit::DynamicHost> made;
  auto outcome = pit::DynamicHost::mount(
      file,
      {.config = options.config, .services = services_, .overrun = overrun_of(options), .keeper = std::move(keeper)},
      made);
  out = std::move(made);
  return step(std::move(outcome));
}

StepResult Conductor::make_wasm(const MountOptions& options, std::shared_ptr<pit::StateKeeper> keeper,
                                std::shared_ptr<pit::Host>& out) {
  if (options.file.empty()) return {status::bad_state, "mount: a wasm pit needs its file, the _wasm.so of the pit"};
  pit::PitFile file;
  if (auto outcome = pit::read_pit_file(options.file, file); !outcome.ok()) return step(std::move(outcome));
  if (StepResult missing = check_needs(file.notes[0].info); !missing.ok()) return missing;
  pit::WasmOptions chosen;
  chosen.config = options.config;
  chosen.services = services_;
  chosen.keeper = std::move(keeper);
  chosen.checkpoint_after = options.checkpoint_after;
  chosen.budget_ms = options.budget_ms;
  chosen.window_size = options.window_size;
  std::unique_ptr<pit::WasmHost> made;
  auto outcome = pit::WasmHost::mount(options.file, chosen, made);
  out = std::move(made);
  return step(std::move(outcome));
}

StepResult Conductor::make_process(std::string_view name, const MountOptions& options,
                                   std::shared_ptr<pit::Host>& out) {
  if (endpoint_ == nullptr) return {status::bad_state, "mount: a process pit needs a conductor with an endpoint"};
  const pit::ProcessOptions how{options.link, options.timeout_ns, options.threads_max};
  std::uint32_t instances = 0;
  if (auto outcome = pit::count_instances(*endpoint_, name, options.timeout_ns, instances); !outcome.ok()) {
    return step(std::move(outcome));
  }
  if (options.instances != 0 && instances != 0 && options.instances != instances) {
    return {status::bad_state, "mount: the broker has " + std::to_string(instances) + " instances of '" +
                                   std::string(name) + "', not " + std::to_string(options.instances) +
                                   ": set `instances` in its manifest"};
  }
  if (instances > 1) {
    std::unique_ptr<pit::ShardedHost> made;
    auto outcome = pit::ShardedHost::mount(*endpoint_, name, instances, how, made);
    out = std::move(made);
    if (!outcome.ok()) return step(std::move(outcome));
    return check_needs_of_process(out->info(), options.timeout_ns);
  }
  std::unique_ptr<pit::ProcessHost> made;
  auto outcome = pit::ProcessHost::mount(*endpoint_, name, how, made);
  out = std::move(made);
  if (!outcome.ok()) return step(std::move(outcome));
  return check_needs_of_process(out->info(), options.timeout_ns);
}

// A process calls others by way of its broker: whom it may call is the broker's to say (PitConfig::calls), and is said
// in the call's ending. Here: whether they are there at all.
StepResult Conductor::check_needs_of_process(const pit::PitInfo& info, TimeNs timeout_ns) {
  for (const std::string& need : info.needs) {
    std::uint32_t instances = 0;
    if (auto asked = pit::count_instances(*endpoint_, need, timeout_ns, instances); !asked.ok()) {
      return step(std::move(asked));
    }
    if (instances != 0) continue;
    return {status::unreachable,
            "pit '" + info.name + "' needs '" + need +
                "', which its broker does not have: add it to the broker's pits; what is mounted in "
                "this program cannot be called from a process"};
  }
  return {};
}

StepResult Conductor::check_needs(const pit::PitInfo& info) {
  for (const std::string& need : info.needs) {
    if (mounts_->find(need)) continue;
    return {status::unreachable,
            "pit '" + info.name + "' needs '" + need + "', and no pit is mounted as that: mount it first"};
  }
  return {};
}

StepResult Conductor::unmount(std::string_view name) {
  return mounts_->remove(name) ? StepResult{} : not_mounted(name);
}

Caller Conductor::open(std::string_view name) {
  Caller caller;
  auto route = mounts_->find(name);
  caller.why_ =
      route
          ? step(conductor::Way::open(std::move(route), nullptr, deadline_after(default_call_timeout_ns), caller.way_))
          : not_mounted(name);
  return caller;
}

std::span<std::byte> Conductor::input_window(std::string_view name) const noexcept {
  const auto route = mounts_->find(name);
  return route ? route->place().host->input_window() : std::span<std::byte>();
}

Reply SharedCaller::call(std::uint32_t type, std::span<const std::byte> body,
                         const CallOptions& options) const noexcept {
  return link_ ? made_by(*link_, 0, type, body, options) : not_open(why_);
}
Reply SharedCaller::call_for(std::string_view key, std::uint32_t type, std::span<const std::byte> body,
                             const CallOptions& options) const noexcept {
  return link_ ? made_by(*link_, pit::key_of(key), type, body, options) : not_open(why_);
}

SharedCaller Conductor::share(std::string_view name) {
  SharedCaller caller;
  const auto route = mounts_->find(name);
  if (route == nullptr) {
    caller.why_ = not_mounted(name);
    return caller;
  }
  auto sharing = std::make_shared<conductor::Sharing>();
  // As a party: the host does not go meanwhile.
  caller.why_ = step(route->visit([&](pit::Host& host, conductor::Route::Word word) {
    return sharing->prepare(host, conductor::Route::generation_of(word));
  }));
  if (!caller.why_.ok()) return caller;
  pit::ThreadLinks::Options of_threads;
  of_threads.own = [route, sharing](TimeNs deadline_ns, std::unique_ptr<pit::Caller>& made) {
    std::unique_ptr<conductor::Way> way;
    pit::Outcome opened = conductor::Way::open(route, sharing, deadline_ns, way);
    made = std::move(way);
    return opened;
  };
  of_threads.own_max = pit::Executor::default_queue_max;
  caller.link_ = std::make_shared<pit::ThreadLinks>(std::move(of_threads));
  return caller;
}

StepResult Conductor::snapshot(std::string_view name, PitState& out) {
  const auto route = mounts_->find(name);
  if (!route) return not_mounted(name);
  pit::Snapshot snapshot;
  auto outcome = route->visit([&](pit::Host& host, conductor::Route::Word) { return host.snapshot(snapshot); });
  if (!outcome.ok()) return step(std::move(outcome));
  out = {snapshot.revision, std::move(snapshot.bytes), {}};
  for (const pit::ArmedTimer& timer : snapshot.timers) out.timers.push_back({timer.id, timer.remaining_ns});
  return {};
}

StepResult Conductor::restore(std::string_view name, const PitState& from) {
  const auto route = mounts_->find(name);
  if (!route) return not_mounted(name);
  pit::Snapshot snapshot{from.revision, from.bytes, {}};
  for (const PitTimer& timer : from.timers) snapshot.timers.push_back({timer.id, timer.remaining_ns});
  return step(route->visit([&](pit::Host& host, conductor::Route::Word word) {
    return is_on_probation(word) ? on_probation() : host.restore(snapshot);
  }));
}

StepResult Conductor::feed(std::string_view name, std::uint64_t seed, TimeNs now_ns) {
  if (seed == 0 || now_ns <= 0 || now_ns == no_deadline_ns) {
    return {status::bad_state, "feed: the seed and the time are above 0"};
  }
  const auto route = mounts_->find(name);
  if (!route) return not_mounted(name);
  return step(route->visit([&](pit::Host& host, conductor::Route::Word word) {
    if (is_on_probation(word)) return on_probation();
    pit::Outcome fed = host.feed(seed, now_ns);
    if (fed.ok()) route->set_fed(seed, now_ns);
    return fed;
  }));
}

StepResult Conductor::health(std::string_view name, PitHealth& out) const {
  const auto route = mounts_->find(name);
  if (!route) return not_mounted(name);
  pit::Health health = route->place().host->health();
  out = {health.degraded, health.type, health.running_ns, health.overruns, std::move(health.stack)};
  return {};
}

// ---- swap

SwapReport Conductor::swap(std::string_view name, const MountOptions& target, const SwapOptions& options) {
  const auto refused = [](StepResult why) {
    SwapReport report;
    report.status = why.status;
    report.text = std::move(why.text);
    report.step = SwapStep::prepare;
    return report;
  };
  const auto route = mounts_->find(name);
  if (!route) return refused(not_mounted(name));
  if (!route->try_begin_swap()) {
    return refused({status::bad_state, "a swap of '" + std::string(name) + "' is under way: wait for its end"});
  }
  struct Begun {
    conductor::Route& route;
    ~Begun() { route.end_swap(); }
  } const begun{*route};
  conductor::SwapTarget to{target.mode, broker_name_of(name, target), {}, {}};
  to.make = [&](std::shared_ptr<pit::Host>& out) { return make_target(name, target, out); };
  if (broker_ != nullptr) to.end_process = [&](const std::string& of) { return end_process(of); };
  return conductor::swap_along(*route, to, options);
}

StepResult Conductor::make_target(std::string_view name, const MountOptions& target, std::shared_ptr<pit::Host>& out) {
  if (target.state.durability != Durability::none) {
    return {status::bad_state, "a swap does not put a state into a folder: unmount the pit, and mount the other there"};
  }
  if (target.mode != Mode::process || broker_ == nullptr) return make_host(name, target, out);
  const std::string at_broker = broker_name_of(name, target);
  {
    const std::lock_guard lock(broker_mutex_);
    const OperatorAnswer started = broker_->start(at_broker, target.timeout_ns);
    if (!started.ok()) return {status::unreachable, "the broker did not start '" + at_broker + "': " + started.text};
  }
  StepResult made = make_host(name, target, out);
  if (!made.ok()) (void)end_process(at_broker);
  return made;
}

StepResult Conductor::end_process(const std::string& broker_name) {
  const std::lock_guard lock(broker_mutex_);
  const OperatorAnswer ended = broker_->stop(broker_name);
  if (ended.ok()) return {};
  return {status::unreachable, "the broker did not end '" + broker_name + "': " + ended.text};
}

}  // namespace symphony
