#include <symphony/conductor.hpp>

#include <utility>

#include "pits/hosting/host.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/static/static_host.hpp"

namespace symphony {
namespace {

StepResult step(pit::Outcome outcome) { return {outcome.status, std::move(outcome.text)}; }

StepResult not_mounted(std::string_view name) {
  return {status::unreachable, "no pit is mounted as '" + std::string(name) + "': mount it first"};
}

StepResult taken(std::string_view name) {
  return {status::bad_state, "a pit is mounted as '" + std::string(name) + "' already: unmount it first"};
}

}  // namespace

std::string_view to_string(Mode mode) noexcept { return mode == Mode::static_ ? "static" : "process"; }

Caller::Caller() noexcept = default;
Caller::Caller(Caller&&) noexcept = default;
Caller& Caller::operator=(Caller&&) noexcept = default;
Caller::~Caller() = default;

Reply Caller::call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) noexcept {
  if (!link_) return {.status = why_.ok() ? status::closed : why_.status, .text = why_.text};
  const pit::Reply reply =
      link_->call({type, static_cast<std::uint32_t>(options.effect), body, coarse_deadline(options)});
  return {.status = reply.status, .type = reply.type, .body = reply.body, .text = reply.text};
}

Caller::Tally Caller::tally() const noexcept {
  if (!link_) return {};
  const pit::Tally tally = link_->tally();
  return {tally.calls, tally.ended, tally.dropped};
}

Conductor::Conductor(Endpoint* endpoint) noexcept : endpoint_(endpoint) {}
Conductor::~Conductor() = default;

StepResult Conductor::mount(std::string_view name, const MountOptions& options) {
  if (find(name)) return taken(name);
  std::shared_ptr<pit::Host> host;
  if (options.mode == Mode::static_) {
    if (options.entry == nullptr) {
      return {status::bad_state, "mount: a static pit needs its entry (SYMPHONY_DECLARE_PIT, symphony_pit_<name>())"};
    }
    std::unique_ptr<pit::StaticHost> made;
    if (auto outcome = pit::StaticHost::mount(*options.entry, {.config = options.config}, made); !outcome.ok()) {
      return step(std::move(outcome));
    }
    host = std::move(made);
  } else {
    if (endpoint_ == nullptr) return {status::bad_state, "mount: a process pit needs a conductor with an endpoint"};
    std::unique_ptr<pit::ProcessHost> made;
    if (auto outcome = pit::ProcessHost::mount(*endpoint_, name, {options.link, options.timeout_ns}, made);
        !outcome.ok()) {
      return step(std::move(outcome));
    }
    host = std::move(made);
  }
  const std::lock_guard lock(mutex_);
  return hosts_.try_emplace(std::string(name), std::move(host)).second ? StepResult{} : taken(name);
}

StepResult Conductor::unmount(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(name);
  if (found == hosts_.end()) return not_mounted(name);
  hosts_.erase(found);
  return {};
}

std::shared_ptr<pit::Host> Conductor::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(name);
  return found == hosts_.end() ? nullptr : found->second;
}

Caller Conductor::open(std::string_view name) {
  Caller caller;
  const auto host = find(name);
  caller.why_ = host ? step(host->open(caller.link_)) : not_mounted(name);
  return caller;
}

StepResult Conductor::snapshot(std::string_view name, PitState& out) {
  const auto host = find(name);
  if (!host) return not_mounted(name);
  pit::Snapshot snapshot;
  auto outcome = host->snapshot(snapshot);
  if (outcome.ok()) out = {snapshot.revision, std::move(snapshot.bytes)};
  return step(std::move(outcome));
}

StepResult Conductor::restore(std::string_view name, const PitState& from) {
  const auto host = find(name);
  return host ? step(host->restore({from.revision, from.bytes})) : not_mounted(name);
}

}  // namespace symphony
