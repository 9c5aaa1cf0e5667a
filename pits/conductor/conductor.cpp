#include <symphony/conductor.hpp>

#include <utility>

#include "pits/conductor/mounts.hpp"
#include "pits/hosting/durable/in_process_keeper.hpp"
#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/process/sharded_host.hpp"
#include "pits/hosting/service_thread.hpp"
#include "pits/hosting/shard_key.hpp"
#include "pits/hosting/static/static_host.hpp"
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
  return link_ ? made_by(*link_, 0, type, body, options) : not_open(why_);
}
Reply Caller::call_for(std::string_view key, std::uint32_t type, std::span<const std::byte> body,
                       const CallOptions& options) noexcept {
  return link_ ? made_by(*link_, pit::key_of(key), type, body, options) : not_open(why_);
}

Caller::Tally Caller::tally() const noexcept {
  if (!link_) return {};
  const pit::Tally tally = link_->tally();
  return {tally.calls, tally.ended, tally.dropped};
}

Conductor::Conductor(Endpoint* endpoint) : endpoint_(endpoint), mounts_(std::make_shared<conductor::Mounts>()) {
  services_ = std::make_shared<pit::ServiceThread>(
      [weak = std::weak_ptr(mounts_)](std::string_view name, TimeNs, std::unique_ptr<pit::Link>& out) -> pit::Outcome {
        const auto mounts = weak.lock();
        const auto host = mounts ? mounts->find(name) : nullptr;
        if (host != nullptr) return host->open(out);
        return {SYMPHONY_UNREACHABLE, "no pit is mounted as '" + std::string(name) + "'"};
      });
}
Conductor::~Conductor() = default;

StepResult Conductor::mount(std::string_view name, const MountOptions& options) {
  if (mounts_->find(name)) return taken(name);
  std::shared_ptr<pit::Host> host;
  if (StepResult made = make_host(name, options, host); !made.ok()) return made;
  return mounts_->add(name, std::move(host)) ? StepResult{} : taken(name);
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
      return make_process(name, options, out);
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
      *options.entry, {.config = options.config, .services = services_, .keeper = std::move(keeper)}, made);
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
      file, {.config = options.config, .services = services_, .keeper = std::move(keeper)}, made);
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
    return step(std::move(outcome));
  }
  std::unique_ptr<pit::ProcessHost> made;
  auto outcome = pit::ProcessHost::mount(*endpoint_, name, how, made);
  out = std::move(made);
  return step(std::move(outcome));
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
  const auto host = mounts_->find(name);
  caller.why_ = host ? step(host->open(caller.link_)) : not_mounted(name);
  return caller;
}

std::span<std::byte> Conductor::input_window(std::string_view name) const noexcept {
  const auto host = mounts_->find(name);
  return host ? host->input_window() : std::span<std::byte>();
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
  const auto host = mounts_->find(name);
  std::unique_ptr<pit::SharedLink> link;
  caller.why_ = host ? step(host->share(link)) : not_mounted(name);
  caller.link_ = std::move(link);
  return caller;
}

StepResult Conductor::snapshot(std::string_view name, PitState& out) {
  const auto host = mounts_->find(name);
  if (!host) return not_mounted(name);
  pit::Snapshot snapshot;
  auto outcome = host->snapshot(snapshot);
  if (!outcome.ok()) return step(std::move(outcome));
  out = {snapshot.revision, std::move(snapshot.bytes), {}};
  for (const pit::ArmedTimer& timer : snapshot.timers) out.timers.push_back({timer.id, timer.remaining_ns});
  return {};
}

StepResult Conductor::restore(std::string_view name, const PitState& from) {
  const auto host = mounts_->find(name);
  if (!host) return not_mounted(name);
  pit::Snapshot snapshot{from.revision, from.bytes, {}};
  for (const PitTimer& timer : from.timers) snapshot.timers.push_back({timer.id, timer.remaining_ns});
  return step(host->restore(snapshot));
}

StepResult Conductor::feed(std::string_view name, std::uint64_t seed, TimeNs now_ns) {
  if (seed == 0 || now_ns <= 0 || now_ns == no_deadline_ns) {
    return {status::bad_state, "feed: the seed and the time are above 0"};
  }
  const auto host = mounts_->find(name);
  return host ? step(host->feed(seed, now_ns)) : not_mounted(name);
}

}  // namespace symphony
